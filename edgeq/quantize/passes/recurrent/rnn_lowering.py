"""Decides for each GRU and RNN whether it is split into int8 matrix products or keeps its float kernel; changes nothing.

Latency against onnxruntime's float GRU, one thread, AVX512-VNNI, batch 1, as many inputs as units (over 1: faster):

    units                        64     128     192     256     320     384     512
    split, 20 to 100 steps       0.2    0.35    0.65    1.0     1.2     2 to 4  4.7 to 8.7
    split, a single step         0.8    0.9     1.2     2.0     4.2     6.1     8
    weights stored in 8 bits     1.0    1.0     1.0     1.0     1.0     1.0     1.0

A step of the split form has 8 us of overhead; a step of the float kernel reads 12 units^2 bytes of weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex
from edgeq.graphs.op_sets import LOWERED
from edgeq.quantize.passes.recurrent.split_gru import Gru

if TYPE_CHECKING:
    import onnx

_FEWEST_UNITS = 320
_FEWEST_UNITS_OF_ONE_STEP = 192
_OPSET = 13  # Split and Unsqueeze take sizes and axes as inputs
_FLOAT_KERNEL = "float compute on 8-bit weights"


@dataclass(frozen=True)
class Lowering:
    """`split` where the node becomes matrix products; otherwise `stored` names the weights that are stored as int8."""

    node: "onnx.NodeProto"
    why: str
    split: Gru | None = None
    stored: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.node.op_type}: {self.node.name or self.node.output[0]}"


def lowerings_of(scope: OnnxIndex, opset: int) -> tuple[Lowering, ...]:
    return tuple(_lowering(node, scope, opset) for node in scope.nodes if node.op_type in LOWERED)


def _lowering(node: "onnx.NodeProto", scope: OnnxIndex, opset: int) -> Lowering:
    weights = tuple(node.input[1:3])
    if not all(_is_float(scope.constant(name)) for name in weights):
        return Lowering(node, "its weights are computed in the graph, or are no float32")
    if node.op_type == "RNN":
        return Lowering(node, f"{_FLOAT_KERNEL}: onnxruntime has no integer kernel for RNN", stored=weights)
    facts = {a.name: a for a in node.attribute}
    why = _why_not_split(node, facts, scope)
    if not why and opset < _OPSET:
        why = f"it is split from opset {_OPSET} on, and this is {opset}"
    if why:
        return Lowering(node, f"{_FLOAT_KERNEL}: {why}", stored=weights)
    gru = _gru(node, facts, scope)
    words = "a single step" if gru.steps == 1 else f"{gru.steps or 'any number of'} steps"
    return Lowering(
        node, f"split into matrix products in 8 bits around {words} of {gru.units} units", split=gru
    )


def _why_not_split(
    node: "onnx.NodeProto", facts: "Mapping[str, onnx.AttributeProto]", scope: OnnxIndex
) -> str:
    """Why it cannot be split, or would not be faster; empty otherwise."""
    if _given(node, 4):
        return "it takes the lengths of its sequences"
    if not _is_plain(facts):
        return "it has activations of its own"
    if "clip" in facts or ("layout" in facts and facts["layout"].i):
        return "it has a clip, or its batch first"
    if _given(node, 3) and node.input[3] not in scope.constants:
        return "its bias is computed in the graph"
    units = scope.constants[node.input[2]].dims[2]
    steps, batch = _steps_and_batch(node, scope)
    if batch is None and not _given(node, 5):
        return "how many sequences it takes at a time is open"
    if units < (_FEWEST_UNITS_OF_ONE_STEP if steps == 1 else _FEWEST_UNITS):
        return f"with {units} units it would be slower in integer steps"
    return ""


def _is_plain(facts: "Mapping[str, onnx.AttributeProto]") -> bool:
    named = [s.decode().lower() for s in facts["activations"].strings] if "activations" in facts else []
    return all(pair == ["sigmoid", "tanh"] for pair in (named[k : k + 2] for k in range(0, len(named), 2)))


def _gru(node: "onnx.NodeProto", facts: "Mapping[str, onnx.AttributeProto]", scope: OnnxIndex) -> Gru:
    from onnx import numpy_helper

    steps, batch = _steps_and_batch(node, scope)
    w, r = (numpy_helper.to_array(scope.constants[name]) for name in node.input[1:3])
    b = numpy_helper.to_array(scope.constants[node.input[3]]) if _given(node, 3) else None
    return Gru(
        x=node.input[0],
        initial=node.input[5] if _given(node, 5) else "",
        outputs=tuple(node.output),
        w=w,
        r=r,
        b=b,
        reverse=facts["direction"].s == b"reverse" if "direction" in facts else False,
        linear_before_reset=bool(facts["linear_before_reset"].i) if "linear_before_reset" in facts else False,
        steps=steps,
        batch=batch,
    )


def _steps_and_batch(node: "onnx.NodeProto", scope: OnnxIndex) -> tuple[int | None, int | None]:
    steps, batch, *_ = (*scope.shapes.get(node.input[0], ()), None, None)
    return steps, batch


def _given(node: "onnx.NodeProto", which: int) -> bool:
    return len(node.input) > which and bool(node.input[which])


def _is_float(tensor: "onnx.TensorProto") -> bool:
    from onnx import TensorProto

    return tensor is not None and tensor.data_type == TensorProto.FLOAT
