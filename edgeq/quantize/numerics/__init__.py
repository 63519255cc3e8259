"""The arithmetic of quantization, exactly as the runtimes do it; every decision about a grid is made with it.

    grid, granularity, params   which numbers there are; which values share a scale; scale and zero point
    choose                      scale and zero point for a range, affine or symmetric
    to_grid                     quantize and dequantize, with the rounding of each runtime
    reference, saturation       integer kernels in numpy, for tests alone: exact, and with pairs that saturate in 16 bits

Numpy only; nothing here knows models, files or runtimes.
"""

from edgeq.quantize.numerics.choose import affine, symmetric
from edgeq.quantize.numerics.granularity import PER_TENSOR, Granularity
from edgeq.quantize.numerics.grid import INT4, INT8, INT16, NARROW_INT8, UINT4, UINT8, UINT16, Grid
from edgeq.quantize.numerics.params import Params
from edgeq.quantize.numerics.to_grid import (
    Rounding,
    dequantize,
    half_away,
    half_even,
    half_even_by_reciprocal,
    quantize,
    real_values,
    round_trip,
)

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
    "Params",
    "Rounding",
    "affine",
    "dequantize",
    "half_away",
    "half_even",
    "half_even_by_reciprocal",
    "quantize",
    "real_values",
    "round_trip",
    "symmetric",
]
