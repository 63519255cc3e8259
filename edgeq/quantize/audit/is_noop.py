"""Whether a recipe changed anything at all: a "quantized" file that is float over again must not be raced as int8."""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import bodies
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import INTEGER_KERNELS
from edgeq.graphs.tflite import read_tflite

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_INTEGER = ("INT8", "UINT8", "INT16", "INT4")


def onnx_untouched(path: Path) -> bool:
    """No node quantizes, and none reads float16 but to cast it back, also inside of If, Loop and Scan."""
    return not _touched(read_onnx(path, weights=False).graph)


def tflite_untouched(before: Path, after: Path) -> bool:
    """No more tensors of small integers than before: a model may read pixels as they are."""
    return _integers(after) <= _integers(before)


def _touched(graph: "GraphProto", outer: frozenset[str] = frozenset()) -> bool:
    """`outer` are the values in float16 that the graphs around it have."""
    from onnx import TensorProto

    halves = outer | {i.name for i in graph.initializer if i.data_type == TensorProto.FLOAT16}
    for node in graph.node:
        if "Quantize" in node.op_type or node.op_type in INTEGER_KERNELS:
            return True
        if node.op_type == "Cast":
            halves |= set(node.output if _to_half(node) else ())
        elif halves & set(node.input):
            return True
        if any(_touched(body, halves) for body in bodies(node)):
            return True
    return False


def _to_half(cast: "NodeProto") -> bool:
    from onnx import TensorProto

    return any(a.name == "to" and a.i == TensorProto.FLOAT16 for a in cast.attribute)


def _integers(path: Path) -> int:
    return sum(t.type in _INTEGER for t in read_tflite(path).tensors)
