"""The arithmetic of quantization, exactly as the runtimes do it; every decision about a grid is made with it.

    grid        which numbers there are, which values share a scale, scale and zero point
    to_grid     scale and zero point of a range; quantize and dequantize, with the rounding of each runtime
    weights     the quantized weights of a layer: per row or in blocks
    reference   integer kernels in numpy, for tests alone: exact, and with pairs that saturate at 16 bits

Numpy only; nothing here knows models, files or runtimes.
"""

from edgeq.quantize.numerics.grid import (
    INT4,
    INT8,
    INT16,
    NARROW_INT8,
    PER_TENSOR,
    UINT4,
    UINT8,
    UINT16,
    Granularity,
    Grid,
    Params,
)
from edgeq.quantize.numerics.to_grid import (
    Rounding,
    affine,
    dequantize,
    half_away,
    half_even,
    half_even_by_reciprocal,
    quantize,
    real_values,
    round_trip,
    symmetric,
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
