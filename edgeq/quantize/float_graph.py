"""The float ONNX graph as every step of quantization reads it: named nodes, known shapes, no factors beside weights.

Nothing of the model's meaning changes here. Its opset is the one that ingest gave it, where every change is proven; below
PER_CHANNEL_OPSET the plan takes one scale per tensor, or leaves the recipe out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeq.foreign import translated

PER_CHANNEL_OPSET = 13


def read(path: Path) -> Any:
    """The ModelProto of `path` with unique node names and inferred types. Raises ConversionFailed."""
    import onnx

    with translated(f"cannot read {path.name} as ONNX"):
        model = onnx.load(str(path))
    _name_nodes(model)
    _take_factors(model.graph)
    with translated(f"the shapes of {path.name} cannot be inferred"):
        return onnx.shape_inference.infer_shapes(model, data_prop=True)


def write(model: Any, path: Path) -> None:
    """Writes the model with the oldest IR version that its opset allows, so that older runtimes read it too."""
    import onnx

    with translated(f"cannot write {path.name}"):
        needed = onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
        model.ir_version = max(needed, 4)  # below 4 initialisers must be listed as inputs
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))


def opset_of(model: Any) -> int:
    return next((int(o.version) for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def oldest_runtime(model: Any) -> str:
    """The oldest onnxruntime that reads this opset and IR (onnxruntime's compatibility table)."""
    opset, ir = opset_of(model), int(model.ir_version)
    table = (
        ("1.14", 18, 8),
        ("1.16", 19, 9),
        ("1.17", 20, 9),
        ("1.18", 21, 10),
        ("1.21", 22, 10),
        ("1.22", 23, 11),
        ("1.23", 23, 12),
        ("1.24", 24, 12),
    )
    reads = next((v for v, o, i in table if opset <= o and ir <= i), "1.25")
    return max(reads, _of_blocks(model), key=lambda version: int(version.partition(".")[2]))


def _of_blocks(model: Any) -> str:
    """The first onnxruntime whose kernels take the file's weights in blocks: 8 bits came to ARM with 1.23."""
    bits = {
        attribute.i
        for node in _all_nodes(model.graph)
        if node.op_type == "MatMulNBits"
        for attribute in node.attribute
        if attribute.name == "bits"
    }
    return "1.23" if 8 in bits else "1.17" if bits else "1.0"


def _all_nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)


def _take_factors(graph: Any) -> None:
    """alpha and beta of Gemm into its weights and its bias, where these are constants: onnxruntime's quantizer gives a bias
    with beta a wrong scale (6 dB), and until 1.16 its kernel forgets alpha.
    """
    stored = {i.name: i for i in graph.initializer}
    for node in (n for n in graph.node if n.op_type == "Gemm"):
        factors = {a.name: a for a in node.attribute if a.name in ("alpha", "beta") and a.f != 1.0}
        for name, place in (("alpha", 1), ("beta", 2)):
            tensor = stored.get(node.input[place]) if len(node.input) > place else None
            if name in factors and tensor is not None:
                graph.initializer.append(_times(tensor, factors[name].f, f"{node.name}_{tensor.name}_{name}"))
                node.input[place] = graph.initializer[-1].name
                node.attribute.remove(factors[name])


def _times(tensor: Any, factor: float, name: str) -> Any:
    import onnx

    values = onnx.numpy_helper.to_array(tensor)
    return onnx.numpy_helper.from_array((values * values.dtype.type(factor)).astype(values.dtype), name)


def _name_nodes(model: Any) -> None:
    taken: set[str] = set()
    for k, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = (
                f"{node.op_type}_{k}" if f"{node.op_type}_{k}" not in taken else f"{node.op_type}_{k}_"
            )
        taken.add(node.name)
