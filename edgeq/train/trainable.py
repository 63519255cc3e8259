"""Which stored tensors of a graph are weights to be trained: float32, and read as a weight by an operator that has some.

A constant of one value is none: the 0.5 of a Gelu, the root in front of a softmax. Other constants of Add and Mul are, as
a bias of its own and a normalization in parts cannot be told from them.
"""

from math import prod

from onnx import TensorProto

from edgeq.graphs.onnx_index import OnnxIndex

_WEIGHTS = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Gemm": (0, 1, 2),
    "MatMul": (0, 1),
    "Einsum": (0, 1, 2),
    "LSTM": (1, 2, 3, 7),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "Gather": (0,),
    "Add": (0, 1),
    "Sub": (0, 1),
    "Mul": (0, 1),
    "Div": (0, 1),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
}
_POINTWISE = ("Add", "Sub", "Mul", "Div")
# A weight behind these is still a weight: exporters transpose, join and split what they store.
_PASSED_ON = {
    "Transpose": (0,),
    "Reshape": (0,),
    "Squeeze": (0,),
    "Unsqueeze": (0,),
    "Flatten": (0,),
    "Identity": (0,),
    "Split": (0,),
    "Slice": (0,),
    "Concat": None,
    "QuantizeLinear": (0,),
    "DequantizeLinear": (0,),
}


def trainable(index: OnnxIndex) -> tuple[str, ...]:
    """Names, in the order in which the graph stores them."""
    return tuple(
        name
        for name, tensor in index.constants.items()
        if tensor.data_type == TensorProto.FLOAT and _is_weight(index, name, prod(tensor.dims) > 1)
    )


def _is_weight(index: OnnxIndex, name: str, several: bool) -> bool:
    for node, place in index.uses(name):
        if place in _WEIGHTS.get(node.op_type, ()) and (several or node.op_type not in _POINTWISE):
            return True
        places = _PASSED_ON.get(node.op_type, ())
        if (places is None or place in places) and any(
            _is_weight(index, out, several) for out in node.output if out
        ):
            return True
    return False
