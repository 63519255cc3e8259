"""A .tflite file that is known to load, as a FloatModel: LiteRT runs it.

A TFLite convolution includes its activation, so its output before that is computed here, at some positions of some samples.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.tflite_session import open_interpreter
from edgeq.ingest.extras import needed
from edgeq.ingest.float_model import THREADS, Arrays, FirstLayer, FirstLayers, FloatModel, of_channels
from edgeq.limited.native_call import native_call
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

_FAILED = "the model does not run on this host's runtime"
_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_POSITIONS = 64  # of each sample
_LOOKED_AT = 8  # samples: without a delegate, and with every tensor kept, the interpreter is slow


def float_model(
    file: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], *, quantized: bool
) -> FloatModel:
    """The interpreter is made when it is first asked."""
    made: list[Interpreter] = []

    def answers(samples: Sequence[Arrays]) -> list[Arrays]:
        if not made:
            made.append(_interpreter(file))
        with as_conversion_failed(_FAILED):
            return [_run(made[0], sample) for sample in samples]

    def first_layers(samples: Sequence[Arrays]) -> FirstLayers:
        if quantized or not samples:
            return FirstLayers()
        with as_conversion_failed(_FAILED):
            return FirstLayers(_first_layer(file, samples[:_LOOKED_AT]))

    return FloatModel(inputs, tuple(o.name for o in outputs), answers, first_layers, quantized, file)


def _interpreter(file: Path, *, keep_all: bool = False) -> "Interpreter":
    needed("ai_edge_litert.interpreter", "litert", "running TFLite")
    return open_interpreter(file, THREADS, keep_all=keep_all, delegates=not keep_all)


def _run(interpreter: "Interpreter", sample: Arrays) -> Arrays:
    for detail, array in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], np.asarray(array, detail["dtype"]))
    native_call(interpreter.invoke)
    return tuple(_real(interpreter.get_tensor(d["index"]), d) for d in interpreter.get_output_details())


def _real(array: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    return (array.astype(np.float32) - zero) * np.float32(scale) if scale else np.array(array)


def _first_layer(file: Path, samples: Sequence[Arrays]) -> FirstLayer | None:
    interpreter = _interpreter(file, keep_all=True)
    op = next((o for o in interpreter._get_ops_details() if o["op_name"] in _LAYERS), None)
    if op is None or len(op["inputs"]) < 3 or op["inputs"][2] < 0:
        return None
    data, weights, bias = (int(i) for i in op["inputs"][:3])
    kernel, offset = interpreter.get_tensor(weights), interpreter.get_tensor(bias)
    if kernel.dtype != np.float32:
        return None
    values = []
    for sample in samples:
        _run(interpreter, sample)
        values.append(_product(interpreter.get_tensor(data), kernel, op["op_name"]) + offset)
    return FirstLayer(*of_channels(values, 1), offset.astype(np.float64))


def _product(data: np.ndarray, kernel: np.ndarray, kind: str) -> np.ndarray:
    """[positions, channels], without the bias; positions at the edge, where padding comes in, are left out."""
    if kind == "FULLY_CONNECTED":
        return np.asarray(data.reshape(-1, kernel.shape[1]) @ kernel.T)
    height, width = (min(k, d) for k, d in zip(kernel.shape[1:3], data.shape[1:3], strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(data[0], (height, width), axis=(0, 1))
    flat = windows.reshape(-1, *windows.shape[2:])  # [positions, channels in, height, width]
    picked = flat[np.linspace(0, len(flat) - 1, min(_POSITIONS, len(flat))).astype(int)]
    kernel = kernel[:, :height, :width]
    if kind == "DEPTHWISE_CONV_2D":
        copies = kernel.shape[3] // picked.shape[1]
        return np.asarray(np.einsum("pchw,hwc->pc", np.repeat(picked, copies, axis=1), kernel[0]))
    if kernel.shape[3] != picked.shape[1]:  # grouped: the first group stands for all
        picked = picked[:, : kernel.shape[3]]
    return np.asarray(np.einsum("pchw,ohwc->po", picked, kernel))
