"""The loop: it comes closer to float, keeps the best, stops, is interrupted, and goes on bit for bit."""

import copy
import os
import signal
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgeq.train.batches import TrainingData, training_data  # noqa: E402
from edgeq.train.checkpoint import Checkpoint  # noqa: E402
from edgeq.train.graph_module import GraphModule  # noqa: E402
from edgeq.train.losses import Loss  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.low_bits import Bits, with_low_bits  # noqa: E402
from edgeq.train.norm_statistics import norms_of  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402
from edgeq.train.training import Outcome, Report, Settings, State, train  # noqa: E402
from tests.train.residual_network import images, network, quantized, weights_of  # noqa: E402

BITS = Bits(2, 2)
SETTINGS = Settings(epochs=4, learning_rate=0.02, evaluations=1)


def data() -> TrainingData:
    return training_data(images(288), size=32)


def student() -> QuantizedNetwork:
    file = quantized(network())
    low = low_bit_layers(file, BITS)
    file = with_low_bits(file, weights_of(network()), low, images(64))
    norms = norms_of(file, network(), low, data().train)
    return QuantizedNetwork(file, weights_of(network()), low, norms=norms)


def run(net: QuantizedNetwork, settings: Settings = SETTINGS, **others: object) -> Outcome:
    teacher = GraphModule(network()).eval().requires_grad_(False)
    return train(net, teacher, data(), Loss(0, 1), settings, **others)  # type: ignore[arg-type]


def test_it_comes_closer_to_float_and_keeps_the_best() -> None:
    net = student()
    outcome = run(net)
    losses = [each.loss for each in outcome.evaluations]
    assert outcome.best.loss == min(losses) < 0.7 * losses[0]
    assert (outcome.step, outcome.steps, outcome.interrupted) == (32, 32, False)
    assert not net.training


def test_no_epochs_leave_post_training_quantization_as_it_is() -> None:
    net = student()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    outcome = run(net, Settings(epochs=0, learning_rate=0.01))
    assert outcome.best == outcome.evaluations[0] and outcome.steps == 0
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_training_that_ruins_the_network_gives_back_the_start() -> None:
    outcome = run(student(), Settings(epochs=2, learning_rate=30.0, evaluations=1))
    assert outcome.best.step == 0


def test_it_stops_where_nothing_improves() -> None:
    outcome = run(student(), Settings(epochs=20, learning_rate=30.0, evaluations=1, patience=2))
    assert outcome.stopped_early and outcome.step == 2 * 8


def test_a_resumed_training_ends_in_the_same_bits(tmp_path: Path) -> None:
    """Interrupted after its second evaluation, written, read by another process's worth of objects, and ended."""
    checkpoint = Checkpoint(tmp_path / "tuned.pt.checkpoint", "key")
    whole = student()
    run(whole)

    def interrupt(state: State) -> None:
        checkpoint.write(state)
        if state.step == 16:
            raise KeyboardInterrupt

    begun = run(student(), keep=interrupt)
    assert begun.interrupted and begun.step == 16
    resumed = student()
    outcome = run(resumed, begun=checkpoint.read())
    assert outcome.step == 32
    expected = whole.state_dict()
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_ctrl_c_in_the_middle_of_an_epoch_keeps_the_best_so_far() -> None:
    def interrupt(report: Report) -> None:
        if report.step == 20:
            raise KeyboardInterrupt

    net = student()
    outcome = run(net, tell=interrupt)
    assert outcome.interrupted and outcome.best.step in (8, 16)
    assert outcome.best.loss < outcome.evaluations[0].loss


def test_a_checkpoint_of_another_training_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "tuned.pt.checkpoint"
    run(student(), Settings(epochs=1, learning_rate=0.01, evaluations=1), keep=Checkpoint(path, "one").write)
    assert Checkpoint(path, "one").read() is not None
    assert Checkpoint(path, "other").read() is None
    path.write_bytes(b"no checkpoint")
    assert Checkpoint(path, "one").read() is None


def test_norms_are_frozen_for_the_last_steps() -> None:
    net = student()
    run(net, Settings(epochs=1, learning_rate=0.001, evaluations=1))
    assert all(bool(norm.frozen) for norm in net.norms())


def test_ctrl_c_waits_for_the_end_of_the_step_and_keeps_it() -> None:
    """A real signal: what is kept is the state behind that step, which the same training goes on from."""
    kept: list[State] = []

    def signalled(report: Report) -> None:
        if report.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(student(), tell=signalled, keep=lambda state: kept.append(copy.deepcopy(state)))
    assert outcome.interrupted and outcome.step == 5
    assert [state.step for state in kept] == [5]
    whole, resumed = student(), student()
    run(whole)
    run(resumed, begun=kept[0])
    expected = whole.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.state_dict().items())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_last_step_is_not_lost() -> None:
    """What follows a training, as a deployment, is not to begin; the same training then ends at once."""
    kept: list[State] = []

    def signalled(report: Report) -> None:
        if report.step == report.steps:
            os.kill(os.getpid(), signal.SIGINT)

    outcome = run(student(), tell=signalled, keep=lambda state: kept.append(copy.deepcopy(state)))
    assert outcome.interrupted and outcome.step == outcome.steps == kept[-1].step
    again = run(student(), begun=kept[-1])
    assert not again.interrupted and again.evaluations == outcome.evaluations
