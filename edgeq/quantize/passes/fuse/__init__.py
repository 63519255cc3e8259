"""Changes to a graph after which onnxruntime finds integer kernels that it would not find, or spares conversions.

Those of the float graph, done before anything is calibrated, compute what the graph computed, but for the order of float
sums. `integer_moves` changes a QDQ file: it takes away a rounding. One file for each; each says what it did, and finds
nothing to do the second time.
"""

from dataclasses import dataclass, replace
from typing import Any

from edgeq.graphs.onnx_edit import copied
from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.plain_text import counted
from edgeq.quantize.passes import head, small_convs
from edgeq.quantize.passes.fuse.averages import averages
from edgeq.quantize.passes.fuse.float_tail import float_tail
from edgeq.quantize.passes.fuse.pooled_in_float import pooled_in_float
from edgeq.quantize.passes.fuse.shared_relu import shared_relu
from edgeq.quantize.passes.head import onnx_head
from edgeq.quantize.quantization import Context, Quantization

NAME = "fuse"


def run(q: Quantization, context: Context) -> Quantization:
    thin = bool(small_convs.NAME in context.enabled and q.scheme is not None and q.scheme.thin_in_float)
    found = fused(
        q.graph, thin=thin, head=onnx_head(q.graph) if head.NAME in context.enabled else frozenset()
    )
    q = replace(q, model=found.model, in_float={**found.in_float, **q.in_float})
    return q.changed(NAME, found.remedies).result(result_of(found.remedies))


@dataclass(frozen=True)
class Fused:
    """`in_float` are nodes of `model` (an onnx ModelProto with inferred shapes) that stay in float for it, and why."""

    model: Any
    in_float: dict[str, str]
    remedies: tuple[AppliedChange, ...]


def fused(model: Any, *, thin: bool, head: frozenset[str] = frozenset()) -> Fused:
    """`model` as float_graph.read hands it over; it stays as it is. `thin`: thin convolutions will stay in float; so may
    the nodes of `head`, which keep their kind for it.
    """
    import onnx

    copy = copied(model)
    remedies = [*averages(copy, head), *shared_relu(copy)]
    pooled = pooled_in_float(copy) if thin else []
    tail = float_tail(copy)
    in_float = tail | {remedy.what: remedy.how for remedy in pooled}
    remedies += [*pooled, *(AppliedChange(name, f"in float: {why}") for name, why in tail.items())]
    return Fused(onnx.shape_inference.infer_shapes(copy, data_prop=True), in_float, tuple(remedies))


def result_of(changes: tuple[AppliedChange, ...]) -> PassResult:
    """`changes` are those of this pass, and the moves that the backend put on integers."""
    why = counted(len(changes), "operator") if changes else "onnxruntime finds all kernels without it"
    return PassResult(NAME, bool(changes), why)
