"""Rewrites a graph so that onnxruntime finds integer kernels for more of it, or needs fewer conversions.

integer_kernels  operators become ones with a fast integer kernel
in_float         what integers would make slower stays in float
integer_moves    on a QDQ file: what only moves values does so with integers

What they make of the float graph, before calibration, computes the same but for the order of float sums; a QDQ file rounds
less. A second run of a rewrite finds nothing to do.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.weightless import infer_shapes
from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.plain_text import counted
from edgeq.quantize.passes import head, small_convs
from edgeq.quantize.passes.fuse.in_float import float_tail, pooled_in_float
from edgeq.quantize.passes.fuse.integer_kernels import averages, shared_relu
from edgeq.quantize.passes.head import onnx_head
from edgeq.quantize.quantization import PREPARE, Context, Quantization

if TYPE_CHECKING:
    import onnx

NAME = "fuse"
STAGE = PREPARE


def run(q: Quantization, context: Context) -> Quantization:
    found = fused(
        q.graph,
        small_convs_in_float=small_convs.runs_for(q, context),
        head=onnx_head(q.graph) if head.NAME in context.enabled else frozenset(),
    )
    q = replace(q, model=found.model, in_float={**found.in_float, **q.in_float})
    return q.with_changes(NAME, found.changes).with_result(result_of(found.changes))


@dataclass(frozen=True)
class Fused:
    """`in_float` are nodes of `model`, which has inferred shapes, that have to stay in float, and why."""

    model: "onnx.ModelProto"
    in_float: dict[str, str]
    changes: tuple[AppliedChange, ...]


def fused(
    model: "onnx.ModelProto", *, small_convs_in_float: bool, head: frozenset[str] = frozenset()
) -> Fused:
    """`model` comes from float_graph.read and stays as it is. `small_convs_in_float`: the pass small_convs will leave
    convolutions in float. The nodes of `head` may stay in float too, and keep their operator.
    """
    copy = copied(model)
    changes = [*averages(copy, head), *shared_relu(copy)]
    pooled = pooled_in_float(copy) if small_convs_in_float else []
    tail = float_tail(copy)
    in_float = tail | {change.what: change.how for change in pooled}
    changes += [*pooled, *(AppliedChange(name, f"in float: {why}") for name, why in tail.items())]
    infer_shapes(copy)
    return Fused(copy, in_float, tuple(changes))


def result_of(changes: tuple[AppliedChange, ...]) -> PassResult:
    """`changes` are those of this pass, and the integer moves of the backend."""
    why = counted(len(changes), "operator") if changes else "onnxruntime finds all kernels without it"
    return PassResult(NAME, bool(changes), why)
