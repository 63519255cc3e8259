"""PADV2, which pads with a number of its own: what onnx2tf writes in front of a MAX_POOL_2D whose padding is not TFLite's SAME.

litert-quantizer refuses the number where it has fewer axes than the tensor that it pads. In front of a maximum it is the least float32, which
no range can hold: the least integer does the same.
"""

from typing import Any

import numpy as np

from edgeq.graphs.tflite import kind_of, packed, tflite_of, unpacked
from edgeq.quantize.calibration.calibrate import Ranges

_LEAST = -1e30  # and below: no value of a network


def with_padding(content: bytes, ranges: Ranges) -> tuple[bytes, Ranges]:
    """`content`, a float file, in a form that litert-quantizer takes, and the ranges for it; both as they are where nothing pads so."""
    if all(each.kind != "PADV2" for each in tflite_of(content).operators):
        return content, ranges
    model, found = unpacked(content), dict(ranges)
    graph = model.subgraphs[0]
    for operator in _pads(model):
        number = graph.tensors[operator.inputs[2]]
        number.shape = np.ones(len(graph.tensors[operator.inputs[0]].shape), np.int32)
        value = np.frombuffer(bytes(model.buffers[number.buffer].data), np.float32)
        before, after = (graph.tensors[t].name.decode() for t in (operator.inputs[0], operator.outputs[0]))
        if value[0] < _LEAST and before in found:
            found[after] = found[before]
    return packed(model), found


def _pads(model: Any) -> list[Any]:
    """With a float number that the file stores."""
    graph = model.subgraphs[0]
    found = [o for o in graph.operators if kind_of(model, o) == "PADV2"]
    return [o for o in found if graph.tensors[o.inputs[2]].type == 0 and _is_stored(model, o.inputs[2])]


def _is_stored(model: Any, tensor: int) -> bool:
    data = model.buffers[model.subgraphs[0].tensors[tensor].buffer].data
    return data is not None and len(data) > 0
