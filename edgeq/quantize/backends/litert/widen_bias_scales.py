"""Widens the scales of weights whose bias would not fit into 32 bits.

A bias is stored in steps of (input scale x weight scale). A channel with weights near zero has a step so fine that the
bias of any usual size is cut off at 2^31 steps: the channel then gives nearly nothing where float gives its bias. With
a wider scale such weights lose bits that never reached the output.
"""

from collections import defaultdict
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.tflite import kind_of, packed, read_model, unpacked

Array = npt.NDArray[Any]

_MOST = 2**30  # steps of a bias: the sum of products is added to it in 32 bits too
# The positions of input, weight and bias, and the weight's axis of output channels where it has a scale for each.
_PLACES = {
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}
_TYPES: dict[int, Any] = {0: np.float32, 2: np.int32, 4: np.int64, 9: np.int8}  # of the schema's TensorType


def with_room_for_biases(source: Path, content: bytes) -> bytes:
    """`content` is the quantized file made from the float file `source`; as it is where every bias fits."""
    model = unpacked(content)
    graph = model.subgraphs[0]
    layers = _layers(model)
    by_weight: dict[int, list[Any]] = defaultdict(list)
    for operator, places in layers:
        by_weight[int(operator.inputs[places[1]])].append((operator, places))
    floats = _floats(source)
    changed = False
    for weight, readers in by_weight.items():
        changed |= _widen(model, graph, weight, readers, floats)
    return packed(model) if changed else content


def _widen(model: Any, graph: Any, weight: int, readers: list[Any], floats: dict[str, Any]) -> bool:
    """Gives the tensor `weight` scales that leave all its `readers` room for their biases."""
    tensor = graph.tensors[weight]
    scale = np.asarray(tensor.quantization.scale, np.float64)
    wider = scale
    known = []
    for operator, (x, _, bias, axis) in readers:
        found = floats.get(_name(graph, operator))
        if found is None:
            return False
        step = float(graph.tensors[operator.inputs[x]].quantization.scale[0])
        needed = np.abs(found[1].astype(np.float64)) / (step * _MOST)
        wider = np.maximum(wider, needed if len(scale) > 1 else needed.max(initial=0.0))
        known.append((operator, bias, axis, step, *found))
    if np.array_equal(wider, scale):
        return False
    *_, axis, _, values, _ = known[0]
    along = wider.reshape([-1 if a == axis else 1 for a in range(values.ndim)]) if len(wider) > 1 else wider
    whole = np.clip(np.round(values.astype(np.float64) / along), -127, 127).astype(np.int8)
    _fill(model, tensor, whole)
    tensor.quantization = _of_scales(tensor.quantization, wider)
    for operator, bias, _, step, _, addends in known:
        own = copy(graph.tensors[operator.inputs[bias]])
        graph.tensors.append(own)
        operator.inputs = [*operator.inputs[:bias], len(graph.tensors) - 1, *operator.inputs[bias + 1 :]]
        steps = wider * step
        _fill(model, own, np.round(addends.astype(np.float64) / steps).astype(_TYPES[own.type]))
        own.quantization = _of_scales(own.quantization, steps)
    return True


def _layers(model: Any) -> list[Any]:
    """Operators with int8 weights and a stored integer bias."""
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        places = _PLACES.get(kind_of(model, operator))
        if places is None or len(operator.inputs) <= places[2] or operator.inputs[places[2]] < 0:
            continue
        x, weight, bias = (graph.tensors[operator.inputs[p]] for p in places[:3])
        stored = all(model.buffers[t.buffer].data is not None for t in (weight, bias))
        if (
            stored
            and weight.type == 9
            and bias.type in (2, 4)
            and x.quantization
            and x.quantization.scale is not None
        ):
            found.append((operator, places))
    return found


def _floats(source: Path) -> dict[str, tuple[Array, Array]]:
    """Weight and bias of each float layer by the name of its output."""
    model = read_model(source)
    graph, found = model.subgraphs[0], {}
    for operator in graph.operators:
        places = _PLACES.get(kind_of(model, operator))
        if places is None or len(operator.inputs) <= places[2] or operator.inputs[places[2]] < 0:
            continue
        tensors = [graph.tensors[operator.inputs[p]] for p in places[1:3]]
        if all(t.type == 0 and model.buffers[t.buffer].data is not None for t in tensors):
            weight, bias = (_constant(model, t) for t in tensors)
            found[_name(graph, operator)] = weight, bias
    return found


def _constant(model: Any, tensor: Any) -> Array:
    raw = bytes(model.buffers[tensor.buffer].data)
    return np.frombuffer(raw, _TYPES[tensor.type]).reshape(tuple(tensor.shape))


def _fill(model: Any, tensor: Any, array: Array) -> None:
    """Into a buffer of its own: equal constants are stored once."""
    model.buffers.append(type(model.buffers[0])())
    tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


def _of_scales(quantization: Any, scales: Array) -> Any:
    other = copy(quantization)
    other.scale = scales.astype(np.float32)
    return other


def _name(graph: Any, operator: Any) -> str:
    return str(graph.tensors[operator.outputs[0]].name.decode())
