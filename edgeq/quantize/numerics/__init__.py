"""The arithmetic of quantized numbers, in numpy: each kind in a file, with its formula, source and error.

uniform       integers of 1 to 16 bits with a scale and a zero point, bit for bit as the runtimes compute
    levels        a few values times a scale, of any kind, and the same on int8; `best_scale` finds the scale
    few_integers, power_of_two, codebook, two_or_three      kinds of levels, and `fitted`: the ones that lose least
"""

from edgeq.quantize.numerics.uniform import (
    INT4,
    INT8,
    INT16,
    MOST_BITS,
    NARROW_INT8,
    PER_TENSOR,
    UINT4,
    UINT8,
    UINT16,
    Array,
    Doubles,
    Floats,
    Granularity,
    Grid,
    Ints,
    QuantParams,
    affine,
    dequantize,
    dequantize_linear,
    on_grid,
    quantize,
    round_trip,
    symmetric,
)

__all__ = [
    "INT4",
    "INT8",
    "INT16",
    "MOST_BITS",
    "NARROW_INT8",
    "PER_TENSOR",
    "UINT4",
    "UINT8",
    "UINT16",
    "Array",
    "Doubles",
    "Floats",
    "Granularity",
    "Grid",
    "Ints",
    "QuantParams",
    "affine",
    "dequantize",
    "dequantize_linear",
    "on_grid",
    "quantize",
    "round_trip",
    "symmetric",
]
