"""Evens out the channels of what matrix products read, at the expense of their weights, before both are quantized.

    sites       tensors that only constants have to take up factors for, and who reads them
    seen        what their channels hold on a few calibration samples
    factors     the factors with which the products come closest to float's
    scaled      a copy of the graph with factors put in: float's own results, other numbers
    keep        where the quantized outputs win by it

Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language models", 2022.
"""

from edgeq.quantize.passes.smooth.keep import Smoothed, smoothed

__all__ = ["Smoothed", "smoothed"]
