"""The arithmetic of quantization, exactly as the runtimes do it: the yardstick of everything that decides by it.

    grid, granularity   which numbers there are; which values share a scale
    choose              scale and zero point for a range, affine or symmetric
    to_grid, noise      quantize, dequantize, and what is lost, split by cause
    integer_*           QLinearMatMul and QLinearConv in int32, as onnxruntime computes them
    saturation          the same on CPUs that sum pairs in 16 bits, with a count of what saturates

Numpy only; nothing here knows models, files or runtimes.
"""

from edgeq.quantize.numerics.choose import affine, symmetric
from edgeq.quantize.numerics.granularity import PER_TENSOR, Granularity
from edgeq.quantize.numerics.grid import INT4, INT8, INT16, NARROW_INT8, UINT4, UINT8, UINT16, Grid
from edgeq.quantize.numerics.params import Params
from edgeq.quantize.numerics.reference.integer_conv import Window, qlinear_conv
from edgeq.quantize.numerics.reference.integer_matmul import qlinear_matmul
from edgeq.quantize.numerics.reference.noise import Noise, error
from edgeq.quantize.numerics.reference.saturation import Saturated, saturating_conv, saturating_matmul
from edgeq.quantize.numerics.rounding import Rounding, half_away, half_even, half_even_by_reciprocal
from edgeq.quantize.numerics.to_grid import dequantize, quantize, round_trip

__all__ = [
    "INT4",
    "INT8",
    "INT16",
    "NARROW_INT8",
    "PER_TENSOR",
    "UINT4",
    "UINT8",
    "UINT16",
    "Granularity",
    "Grid",
    "Noise",
    "Params",
    "Rounding",
    "Saturated",
    "Window",
    "affine",
    "dequantize",
    "error",
    "half_away",
    "half_even",
    "half_even_by_reciprocal",
    "qlinear_conv",
    "qlinear_matmul",
    "quantize",
    "round_trip",
    "saturating_conv",
    "saturating_matmul",
    "symmetric",
]
