"""A smaller float network that learns what the whole one gives, before it is quantized."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused
from edgeq.graphs.macs import onnx_macs
from edgeq.graphs.weightless import digest
from edgeq.nouns.record import digest_of
from edgeq.quantize.evaluate.pre_softmax_outputs import tensors_in
from edgeq.quantize.samples import SamplesLike
from edgeq.train.batches import Batch, Batches
from edgeq.train.checkpoint import Checkpoint, keeper, resumed
from edgeq.train.float_network import FloatNetwork
from edgeq.train.lesson import Lesson, lesson_of
from edgeq.train.options import TrainingOptions
from edgeq.train.smaller.importance import Outputs
from edgeq.train.smaller.smaller_graph import smaller_graph
from edgeq.train.training import Report, Settings, train

if TYPE_CHECKING:
    from onnx import ModelProto

RATE = 0.02  # of what is far from where it was: the layers around what is gone
_PRODUCTS = 20_000_000_000  # multiply-accumulates of one measurement, on at least and at most so many samples
_LEAST, _MOST, _BATCH = 32, 256, 64


def pruned(
    model: "ModelProto",
    samples: SamplesLike,
    share: float,
    *,
    call: int,
    by_activations: bool = False,
    progress: Callable[[str, float], None] = lambda stage, done: None,
) -> "ModelProto":
    """The float graph `model` without channels and branches that take `share`, 0 to 1, of its multiply-accumulates. `by_activations`: channels
    are ranked by these. Raises ModelRefused where there are not so many, DataRefused for samples that make no batch.
    """
    if not 0 <= share < 1:
        raise ModelRefused(
            f"a network without {share:.0%} of its products computes nothing", "prune a share below 1"
        )
    macs = max(onnx_macs(model), 1)
    count = min(max(_PRODUCTS // macs, _LEAST), _MOST)
    lesson = lesson_of(
        model, samples, TrainingOptions(Settings(0.0, 0.0), batch=min(int(count), _BATCH)), progress
    )
    batches = _some(lesson.data.train, int(count))
    inputs = [
        value.name
        for value in model.graph.input
        if value.name not in {t.name for t in model.graph.initializer}
    ]
    shapes = {name: (1, *x.shape[1:]) for name, x in zip(inputs, batches[0].inputs, strict=True)}
    outputs = Outputs(tuple(tensors_in(model, lesson.tensors)), lesson.loss.scores)
    progress("prune", 0.0)
    return smaller_graph(
        model,
        shapes,
        1 - share,
        outputs,
        batches,
        call=call,
        by_activations=by_activations,
        progress=lambda done: progress("prune", done),
    )


def distilled(
    whole: "ModelProto",
    smaller: "ModelProto",
    samples: SamplesLike,
    options: TrainingOptions,
    *,
    checkpoint: Path | None = None,
    tell: Callable[[Report], None] = lambda report: None,
    progress: Callable[[str, float], None] = lambda stage, done: None,
    note: Callable[[str], None] = lambda words: None,
) -> "tuple[ModelProto, bool]":
    """The graph `smaller`, trained in float to give the outputs of `whole`; and whether Ctrl-C came. `checkpoint`: an interrupted one goes
    on from there. Raises as lesson_of.
    """
    lesson: Lesson = lesson_of(whole, samples, options, progress)
    network = FloatNetwork(smaller, tensors_in(smaller, lesson.tensors)).to(options.device)
    key = digest_of(
        {
            "whole": digest(whole),
            "smaller": digest(smaller),
            "samples": samples.sha256,
            "options": repr(options),
        }
    )
    kept = None if checkpoint is None else Checkpoint(checkpoint, key)
    outcome = train(
        network,
        lesson.teacher,
        lesson.data,
        lesson.loss,
        options.settings,
        begun=resumed(kept, note),
        keep=keeper(kept, note),
        tell=tell,
    )
    return network.model(), outcome.interrupted


def _some(batches: Batches, count: int) -> tuple[Batch, ...]:
    """As many as hold `count` samples, spread over all of them."""
    apart = max(batches.count // max(count, 1), 1)
    return tuple(replace(batches, positions=batches.positions[::apart][:count]).in_order())
