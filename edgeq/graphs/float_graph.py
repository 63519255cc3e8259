"""The float ONNX graph as every step of quantization reads it: named nodes, known shapes, no factors beside weights.

Nothing of the model's meaning changes here. Its opset is the one that ingest gave it, where every change is proven; below
PER_CHANNEL_OPSET the plan takes one scale per tensor, or leaves the recipe out.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed

from .onnx_index import index_of
from .onnx_io import read_onnx
from .weightless import infer_shapes

if TYPE_CHECKING:
    import onnx

PER_CHANNEL_OPSET = 13


def read(path: Path) -> "onnx.ModelProto":
    """The model at `path` with unique node names and inferred types. Raises ConversionFailed."""
    model = read_onnx(path)
    _name_nodes(model)
    _take_factors(model.graph)
    with as_conversion_failed(f"the shapes of {path.name} cannot be inferred"):
        infer_shapes(model)
    return model


def _take_factors(graph: "onnx.GraphProto") -> None:
    """alpha and beta of Gemm into its weights and its bias, where these are constants: onnxruntime's quantizer gives a bias
    with beta a wrong scale (6 dB), and until 1.16 its kernel forgets alpha.
    """
    index = index_of(graph)
    for node in (n for n in index.nodes if n.op_type == "Gemm"):
        factors = {a.name: a for a in node.attribute if a.name in ("alpha", "beta") and a.f != 1.0}
        for name, place in (("alpha", 1), ("beta", 2)):
            tensor = index.initializer(node.input[place]) if len(node.input) > place else None
            if name in factors and tensor is not None:
                graph.initializer.append(_times(tensor, factors[name].f, f"{node.name}_{tensor.name}_{name}"))
                node.input[place] = graph.initializer[-1].name
                node.attribute.remove(factors[name])


def _times(tensor: "onnx.TensorProto", factor: float, name: str) -> "onnx.TensorProto":
    import onnx

    values = onnx.numpy_helper.to_array(tensor)
    return onnx.numpy_helper.from_array((values * values.dtype.type(factor)).astype(values.dtype), name)


def _name_nodes(model: "onnx.ModelProto") -> None:
    taken: set[str] = set()
    for k, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = (
                f"{node.op_type}_{k}" if f"{node.op_type}_{k}" not in taken else f"{node.op_type}_{k}_"
            )
        taken.add(node.name)
