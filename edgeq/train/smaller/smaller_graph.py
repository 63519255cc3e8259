"""A float graph that computes less: channels and residual branches are removed for real, round by round.

A round removes what costs the outputs least for the time that it saves: one branch, or the channels of as many multiply-accumulates.
Both are tried and measured, on samples, by the distance to what the whole graph gives; importance alone ranks channels, but it is too
low by far where many go at once.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edgeq.errors import ModelRefused
from edgeq.graphs.input_shapes import sized
from edgeq.graphs.macs import onnx_macs
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.stages import ending_at
from edgeq.graphs.weightless import infer_shapes
from edgeq.train.batches import Batch
from edgeq.train.graph_module import GraphModule
from edgeq.train.losses import divergence, relative_error
from edgeq.train.smaller.branches import Branch, branches_of, without_branch
from edgeq.train.smaller.channel_flow import channel_units
from edgeq.train.smaller.choice import fewer_channels
from edgeq.train.smaller.importance import Importance, Outputs, activations_of, importance_of
from edgeq.train.smaller.kernel_time import macs_of_layers, time_of
from edgeq.train.smaller.layers import ChannelUnits
from edgeq.train.smaller.removal import still_there, without_units

if TYPE_CHECKING:
    from onnx import ModelProto

_ROUND = 0.04  # of the multiply-accumulates of the whole graph go in a round


def smaller_graph(
    model: "ModelProto",
    shapes: Mapping[str, tuple[int, ...]],
    keep: float,
    outputs: Outputs,
    batches: Sequence[Batch],
    *,
    call: int,
    by_activations: bool = False,
    progress: Callable[[float], None] = lambda done: None,
) -> "ModelProto":
    """`model` with at most the share `keep` of its multiply-accumulates; names of nodes and tensors stay, and so do inputs and outputs.
    `shapes`: those of a sample, by input. `batches`: what it is measured on; `call`: the price of a layer (kernel_time.py). `by_activations`: channels are ranked by these
    (importance.py), in place of by gradients. The model
    as it is where `keep` is 1 or more. Raises ModelRefused where less can be removed.
    """
    whole = sized(_without_listed_weights(model), shapes)
    measure = _Measure(whole, outputs, batches, by_activations)
    now, before = _Candidate(whole, 0.0, 0), onnx_macs(whole)
    known: dict[str, float] = {}  # by addition and operand, the last measured distance without the branch
    while (left := onnx_macs(now.model)) > before * keep:
        progress(math.log(left / before) / math.log(keep))
        goal = before * keep
        most = max(goal, left - before * _ROUND)
        tried = (
            _with_fewer_channels(now.model, most, measure, call, goal),
            _without_a_branch(now.model, known, measure, call, left - before * (keep - _ROUND)),
        )
        found = [c for c in tried if c is not None]
        if not found:
            raise ModelRefused(
                f"only {1 - left / before:.1%} of the multiply-accumulates can be removed by channels and branches",
                "ask for less: what reads the other layers depends on all that they give",
            )
        now = min(found, key=lambda c: (c.distance - now.distance) / c.saved)
    return _with_ends_of(model, now.model)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """`distance`: of its outputs to those of the whole graph. `saved`: by the round, in the unit of kernel_time.py."""

    model: "ModelProto"
    distance: float
    saved: int


class _Measure:
    """`batches`, and how far a graph is from the whole one on them: for class scores twice the divergence, for other outputs the squared
    error relative to their variance. That is the unit of importance.py too.
    """

    def __init__(
        self, whole: "ModelProto", outputs: Outputs, batches: Sequence[Batch], by_activations: bool = False
    ) -> None:
        self.outputs, self.batches, self._by_activations = outputs, batches, by_activations
        self._wanted = self._values(whole)

    def distance(self, model: "ModelProto") -> float:
        count = sum(len(batch.positions) for batch in self.batches)
        parts = zip(self._values(model), self._wanted, self.batches, strict=True)
        return sum(self._of_batch(own, wanted) * len(batch.positions) for own, wanted, batch in parts) / count

    def importance(self, model: "ModelProto", found: ChannelUnits) -> Importance:
        if self._by_activations:
            return activations_of(model, found, self.batches)
        return importance_of(model, found, self.outputs, self.batches)

    def _values(self, model: "ModelProto") -> list[tuple[Tensor, ...]]:
        network = GraphModule(ending_at(model, self.outputs.tensors)).eval().use_channels_last()
        with torch.no_grad():
            return [network(*batch.inputs) for batch in self.batches]

    def _of_batch(self, own: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
        return sum(
            float(2 * divergence(a, b, 1.0) if k == self.outputs.scores else relative_error(a, b))
            for k, (a, b) in enumerate(zip(own, wanted, strict=True))
        )


def _with_fewer_channels(
    model: "ModelProto", most: float, measure: _Measure, call: int, goal: float
) -> _Candidate | None:
    """None where no channels can go."""
    found = channel_units(model)
    if not found.channels:
        return None
    others = onnx_macs(model) - macs_of_layers(found.layers)
    importance = measure.importance(model, found)
    removed = fewer_channels(
        found.layers, importance.units, math.floor(most - others), math.floor(goal - others)
    )
    if not removed.any():
        return None
    assert still_there(found, removed)
    made = without_units(model, found, removed, importance.means)
    saved = time_of(found.layers, call) - time_of(channel_units(made).layers, call)
    return _Candidate(made, measure.distance(made), max(saved, 1))


def _without_a_branch(
    model: "ModelProto", known: dict[str, float], measure: _Measure, call: int, largest: float
) -> _Candidate | None:
    """The one of at most `largest` multiply-accumulates that costs least for its time, None where there is none. What a branch costs grows as others go: the best by what is
    known is measured again until it stays the best.
    """
    layers = {layer.output: layer for layer in channel_units(model).layers}
    times = {
        b: time_of((layers[n] for n in b.layers if n in layers), call)
        for b in branches_of(model)
        if b.macs <= largest
    }
    waiting = {b: known.get(_name(b), 0.0) / time for b, time in times.items() if time}
    measured: dict[Branch, _Candidate] = {}
    while waiting:
        best = min(waiting, key=lambda b: (waiting[b], _name(b)))
        if best in measured:
            return measured[best]
        made = without_branch(model, best)
        measured[best] = _Candidate(made, measure.distance(made), times[best])
        known[_name(best)] = measured[best].distance
        waiting[best] = measured[best].distance / times[best]
    return None


def _name(branch: Branch) -> str:
    return f"{branch.addition}/{branch.kept}"


def _without_listed_weights(model: "ModelProto") -> "ModelProto":
    """A copy whose weights are no inputs, as old files have them."""
    made = copied(model)
    stored = {tensor.name for tensor in made.graph.initializer}
    for value in [value for value in made.graph.input if value.name in stored]:
        made.graph.input.remove(value)
    return made


def _with_ends_of(model: "ModelProto", made: "ModelProto") -> "ModelProto":
    """Open dimensions are open again."""
    own = {value.name for value in made.graph.input}
    for field in ("input", "output"):
        kept = [value for value in getattr(model.graph, field) if field == "output" or value.name in own]
        del getattr(made.graph, field)[:]
        getattr(made.graph, field).extend(kept)
    del made.graph.value_info[:]
    infer_shapes(made)
    return made
