"""How a layer is quantized, read from what stands for it in the file: types and granularity in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import nodes_within
from edgeq.graphs.op_sets import INTEGER_KERNELS
from edgeq.quantize.audit.quantized_layer import FLOAT

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_LETTERS = {"INT8": "S8", "UINT8": "U8"}


@dataclass(frozen=True)
class Written:
    """`integer`: its products are those of integers."""

    scheme: str
    integer: bool


def written_scheme(
    kind: str, nodes: "Sequence[NodeProto]", constants: "Mapping[str, TensorProto]"
) -> Written:
    """`nodes` stand for a layer of `kind`; `constants` are TensorProtos by name, of the graphs inside too."""
    every = list(nodes_within(nodes))
    kinds = {node.op_type for node in every}
    integer = bool(kinds.intersection(INTEGER_KERNELS))
    for node in every:
        if node.op_type == "MatMulNBits":
            facts = {a.name: a.i for a in node.attribute}
            return Written(f"int{facts['bits']} blocks of {facts['block_size']}", integer)
    if integer:
        of = next(node for node in every if node.op_type in INTEGER_KERNELS)
        words = f"dynamic U8{_letter(of, constants)} {_granularity(of, every, constants)}"
        split = kind in ("GRU", "RNN")
        return Written(f"{words}, split into products" if split else words, integer)
    read = [constants[name] for node in every for name in node.input if name in constants]
    if any(_type(tensor) in _LETTERS for tensor in read):
        return Written(
            "S8 per row, looked up" if kind == "Gather" else "S8 per row, computed in float", False
        )
    own = [constants[n] for node in every if node.op_type == kind for n in node.input if n in constants]
    return Written("float16" if any(_type(tensor) == "FLOAT16" for tensor in own) else FLOAT, False)


def _letter(node: "NodeProto", constants: "Mapping[str, TensorProto]") -> str:
    weights = constants.get(node.input[1])
    return _LETTERS.get(_type(weights), "S8") if weights is not None else "S8"


def _granularity(node: "NodeProto", every: "list[NodeProto]", constants: "Mapping[str, TensorProto]") -> str:
    """By how many scales the weights have: those of a product stand beside the activations' in a Mul."""
    if node.op_type == "DynamicQuantizeLSTM":
        scales = [constants[name] for name in (node.input[8], node.input[10]) if name in constants]
        return "per channel" if any(len(t.dims) > 1 for t in scales) else "per tensor"
    zeros = constants.get(node.input[3]) if len(node.input) > 3 else None
    return "per channel" if zeros is not None and len(zeros.dims) > 0 else "per tensor"


def _type(tensor: "TensorProto") -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(tensor.data_type))
