"""The training loop: mini-batches, the loss against float, evaluations on samples that are never trained on, and the best so far.

Knows no files: what is kept between runs goes through the `keep` that it is given.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgeq.nouns.training import Evaluation
from edgeq.train.batches import Batch, Batches, TrainingData
from edgeq.train.early_stop import EarlyStop
from edgeq.train.float_network import FloatNetwork
from edgeq.train.losses import Loss, agreeing, correct
from edgeq.train.quantized_network import QuantizedNetwork
from edgeq.train.relative_adam import RelativeAdam
from edgeq.train.schedule import CosineSchedule
from edgeq.train.step_interrupt import between_steps

_FREEZE = 0.85  # of the steps, after which the statistics of norms stay as they are
_SMOOTH = 0.05  # the weight of the last step in the loss that is shown


@dataclass(frozen=True)
class Settings:
    """`epochs` may be a fraction. `learning_rate`: the share of itself by which a step moves a weight at the peak (relative_adam.py).
    `evaluations`: in an epoch; training stops after `patience` of them without a better one.
    """

    epochs: float
    learning_rate: float
    evaluations: int = 2
    patience: int = 10


@dataclass(frozen=True)
class Report:
    """While it trains: `loss` is a running mean of the last steps. `evaluated`: whether `last` is of this step."""

    step: int
    steps: int
    loss: float
    last: Evaluation
    learning_rate: float
    evaluated: bool


@dataclass(frozen=True)
class Outcome:
    """`best` is loaded into the network. `stopped_early`: for want of progress; `interrupted`: by Ctrl-C."""

    evaluations: tuple[Evaluation, ...]
    best: Evaluation
    step: int
    steps: int
    stopped_early: bool = False
    interrupted: bool = False


@dataclass(frozen=True)
class State:
    """All that a run needs to go on where it was, bit for bit, as plain values and tensors."""

    step: int
    network: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    best: Mapping[str, Any]
    evaluations: tuple[Evaluation, ...]


Network = QuantizedNetwork | FloatNetwork


def train(
    network: Network,
    teacher: nn.Module,
    data: TrainingData,
    loss: Loss,
    settings: Settings,
    *,
    begun: State | None = None,
    keep: Callable[[State], None] = lambda state: None,
    tell: Callable[[Report], None] = lambda report: None,
) -> Outcome:
    """Trains `network` in place, and leaves the best of all evaluations in it, the first of which is before any step. `keep` is
    given the state after each evaluation, and at the end of the step in which Ctrl-C came; `begun` is such a one. After Ctrl-C it returns
    what it has, after a second one at once.
    """
    steps = math.ceil(settings.epochs * data.train.steps)
    every = max(data.train.steps // settings.evaluations, 1)
    optimizer = RelativeAdam(network.parameters_with_units(), settings.learning_rate)
    if begun is None:
        begun = _before(network, optimizer, evaluate(network, teacher, data.validation, loss, 0))
    else:
        network.load_state_dict(begun.network)
        optimizer.load_state_dict(dict(begun.optimizer))
    evaluations, best, step = list(begun.evaluations), begun.best, begun.step
    worth = _worth_beside(evaluations[0], data.validation.count)
    stop = EarlyStop(settings.patience)
    for each in evaluations:
        stop = stop.seen(worth(each))
    running, interrupted, first = 0.0, False, step

    def state() -> State:
        return State(step, network.state_dict(), optimizer.state_dict(), best, tuple(evaluations))

    with between_steps() as asked_to_stop:
        try:
            for batch in _from(data.train, step, steps):
                if stop.stops:
                    break
                if asked_to_stop():
                    interrupted = True
                    keep(state())
                    break
                rate = _rate(settings.learning_rate, steps, step)
                now = _step(network, teacher, loss, optimizer, rate, batch)
                running, step = _smoothed(running, now, step - first), step + 1
                if step == math.ceil(steps * _FREEZE):
                    network.freeze_norms()
                evaluated = step % every == 0 or step == steps
                if evaluated:
                    evaluations.append(evaluate(network, teacher, data.validation, loss, step))
                    stop = stop.seen(worth(evaluations[-1]))
                    best = _copy(network.state_dict()) if stop.improved else best
                    keep(state())
                tell(Report(step, steps, running, evaluations[-1], rate, evaluated))
            interrupted = (
                interrupted or asked_to_stop()
            )  # in the last step: whoever asked wants nothing to follow
        except KeyboardInterrupt:
            interrupted = True
    network.load_state_dict(best)
    network.eval()
    return Outcome(
        tuple(evaluations), max(evaluations, key=worth), step, steps, stop.stops and step < steps, interrupted
    )


def evaluate(network: nn.Module, teacher: nn.Module, samples: Batches, loss: Loss, step: int) -> Evaluation:
    total, right = 0.0, 0
    network.eval()
    with torch.no_grad():
        for batch in samples.in_order():
            own, wanted = network(*batch.inputs), teacher(*batch.inputs)
            total += len(batch.positions) * float(loss(own, wanted, batch.labels))
            if loss.scores is not None:
                mine, floats = own[loss.scores], wanted[loss.scores]
                right += agreeing(mine, floats) if batch.labels is None else correct(mine, batch.labels)
    score = None if loss.scores is None else 100.0 * right / samples.count
    return Evaluation(step, total / samples.count, score)


def _step(
    network: nn.Module,
    teacher: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    rate: float,
    batch: Batch,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate
    network.train()
    with torch.no_grad():
        wanted = teacher(*batch.inputs)
    value = loss(network(*batch.inputs), wanted, batch.labels)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
    return float(value.detach())


def _smoothed(running: float, now: float, before: int) -> float:
    """With `now`: the mean of the first few, of which there were `before`."""
    return running + (now - running) * max(_SMOOTH, 1 / (before + 1))


def _rate(peak: float, steps: int, step: int) -> float:
    return CosineSchedule(peak, steps, warmup=min(steps // 20, 500)).at(step)


def _before(network: Network, optimizer: torch.optim.Optimizer, first: Evaluation) -> State:
    state = network.state_dict()
    return State(0, state, optimizer.state_dict(), _copy(state), (first,))


def _from(batches: Batches, step: int, steps: int) -> Iterator[Batch]:
    """Those of the steps from `step` to `steps`."""
    while step < steps:
        epoch, first = divmod(step, batches.steps)
        for batch in batches.epoch(epoch, first):
            yield batch
            step += 1
            if step == steps:
                return


def _copy(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def _worth_beside(first: Evaluation, count: int) -> Callable[[Evaluation], float]:
    """The loss of an evaluation on `count` samples, with its sign changed. What scores lower than post-training quantization, by more than
    the standard error of a score, is worth nothing: outputs that say nothing are close to any.
    """

    def worth(evaluation: Evaluation) -> float:
        if evaluation.score is None or first.score is None:
            return -evaluation.loss
        share = first.score / 100.0
        error = 100.0 * math.sqrt(share * (1.0 - share) / count)
        return -math.inf if evaluation.score < first.score - error else -evaluation.loss

    return worth
