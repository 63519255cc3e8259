"""The layers of a .tflite graph that the trained network computes in float, told by their weights.

A layer that was trained in integers has, in whatever order, the weights that its integers stand for. An LSTM that the converter wrote as
products of its own has none of them, nor has a layer that was left in float between two that were quantized.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.macs import TFLITE_HEAVY
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import HEAVY
from edgeq.graphs.tflite import kind_of, read_model
from edgeq.quantize.trained.float_graph import dequantized

if TYPE_CHECKING:
    from onnx import ModelProto

_FLOAT = 0  # of the schema's TensorType


def layers_in_float(trained: "ModelProto", path: Path) -> frozenset[str]:
    """Operators by first output; `path` is the .tflite file of the trained network's float graph. None where all layers were trained in
    integers: what has other weights was put together by the converter. Raises ConversionFailed where the file is none.
    """
    model, index = read_model(path), index_of(trained.graph)
    graph = model.subgraphs[0]
    if not _has_float_layer(index):
        return frozenset()
    integers, found = _in_integers(index), set[str]()
    for operator in graph.operators:
        if kind_of(model, operator) not in TFLITE_HEAVY:
            continue
        values = _constant(model, graph.tensors[operator.inputs[1]])
        if values is not None and _in_any_order(values) not in integers:
            found.add(graph.tensors[operator.outputs[0]].name.decode())
    return frozenset(found)


def _has_float_layer(index: OnnxIndex) -> bool:
    weights = [node.input[1] for node in index.nodes if node.op_type in HEAVY and len(node.input) > 1]
    makers = (index.producer(name) for name in weights)
    return any(name in index.constants for name in weights) or any(
        maker is not None and maker.op_type == "Constant" for maker in makers
    )


def _in_integers(index: OnnxIndex) -> set[bytes]:
    """The weights of the layers that were trained in integers."""
    makers = (index.producer(n.input[1]) for n in index.nodes if n.op_type in HEAVY and len(n.input) > 1)
    stored = (m for m in makers if m is not None and m.op_type == "DequantizeLinear")
    return {_in_any_order(dequantized(index, m)) for m in stored if m.input[0] in index.constants}


def _in_any_order(values: npt.NDArray[Any]) -> bytes:
    """One for all arrays of these values: layouts differ between formats."""
    return np.sort(values.astype(np.float32).ravel() + np.float32(0)).tobytes()  # -0.0 is 0.0


def _constant(model: Any, tensor: Any) -> npt.NDArray[np.float32] | None:
    data = model.buffers[tensor.buffer].data
    if tensor.type != _FLOAT or data is None or len(data) == 0:
        return None
    return np.frombuffer(bytes(data), np.float32)
