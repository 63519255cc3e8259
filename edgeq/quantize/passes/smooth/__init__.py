"""Evens out the channels of what matrix products read, at the expense of their weights, before both are quantized.

    sites       tensors that only constants have to take up factors for, and who reads them
    seen        what their channels hold on a few calibration samples
    factors     the factors with which the products come closest to float's
    scaled      a copy of the graph with factors put in: float's own results, other numbers
    keep        where the quantized outputs win by it

Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language models", 2022.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeq.nouns.repairs import Tried
from edgeq.quantize.passes.smooth.keep import Smoothed, smoothed
from edgeq.quantize.quantization import Context, GraphBackend, Quantization

if TYPE_CHECKING:
    import onnx

__all__ = ["NAME", "Smoothed", "run", "smoothed"]

NAME = "smooth"


def run(q: Quantization, context: Context) -> Quantization:
    backend = context.backend
    assert isinstance(backend, GraphBackend)
    if context.samples is None:
        return q.result(Tried(NAME, False, "there are no samples"))

    def quantized(model: "onnx.ModelProto") -> "onnx.ModelProto":
        return backend.quantized(replace(q, model=model))

    threads, progress = context.threads, context.progress
    found = smoothed(q.graph, quantized, context.samples, threads=threads, progress=progress)
    return replace(q, model=found.model).changed(NAME, found.remedies).result(found.tried)
