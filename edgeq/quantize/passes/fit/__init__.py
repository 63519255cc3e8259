"""Fits a quantized layer's weights and bias to its float outputs, on the inputs that it gets once quantized.

Layer by layer from the inputs to the outputs, each fitted to the rounding errors of all layers before it, in closed
form and without gradients: least squares with GPTQ rounding. Operators and speed of the file stay as they are.
"""

from collections.abc import Collection
from dataclasses import replace

from edgeq.quantize.passes.fit.fit import Reconstruction, onnx_reconstruction, tflite_reconstruction
from edgeq.quantize.quantization import Context, Quantization

NAME = "fit"


def run(q: Quantization, context: Context) -> Quantization:
    found = _fitted(q, (), context)
    return replace(q, weights=found.weights, fit_gain_db=found.gain_db).result(found.tried)


def refit(q: Quantization, leave: Collection[str], context: Context) -> Quantization:
    """Fitted to the rounding that is left with the layers of `leave` in float."""
    found = _fitted(q, leave, context)
    return replace(q, weights=found.weights, fit_gain_db=found.gain_db)


def _fitted(q: Quantization, leave: Collection[str], context: Context) -> Reconstruction:
    path, samples, threads, progress = context.path, context.calibration, context.threads, context.progress
    context.write(q, leave, fitted=False)
    if q.format == "onnx":
        return onnx_reconstruction(q.graph, q.source, path, samples, threads, progress)
    return tflite_reconstruction(q.source, path, samples, threads, progress)
