"""Evens out the channels between two layers, at the expense of the weights behind, before anything is calibrated.

    pairs       layers with channels between them that can trade magnitude
    factors     by which, and what a layer wins by it
    scaled      a copy of the graph with factors put in: float's own results, other numbers
    keep        where the quantized outputs win by it

Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019.
"""

from edgeq.quantize.passes.equalize.keep import Equalized, equalized, not_equalized
from edgeq.quantize.passes.equalize.scaled import as_in

__all__ = ["Equalized", "as_in", "equalized", "not_equalized"]
