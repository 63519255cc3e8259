"""Mixed precision: some layers in float among the quantized ones.

search              where the gate fails, the smallest set with which it holds
minimize_float_set  which of a set are needed (delta debugging)
few_float_layers    a few layers that gain much for little work: a candidate of its own
layers              the layers that can be left in float, and what their quantization costs
"""

from edgeq.quantize.passes.mixed_precision.search import NAME, judged, run

__all__ = ["NAME", "judged", "run"]
