"""From a value to whole steps, as each runtime does it. They differ at halves and in the last bit before them.

Each takes x and scale (float32, broadcast) and returns round(x / scale), in float32. All of it is in float32 on
purpose: a runtime that divides in float32 lands on halves that are none in float64.

    half_even                 onnxruntime, all widths (MLAS: divps, cvtps2dq; NEON: fdiv, fcvtns)
    half_even_by_reciprocal   LiteRT through XNNPACK, 8 and 16 bits per tensor: it multiplies with 1 / scale
    half_away                 LiteRT's own kernels: per channel, 4 bits, and everything with its reference kernels
"""

from collections.abc import Callable

import numpy as np

from edgeq.quantize.numerics.params import Floats

Rounding = Callable[[Floats, Floats], Floats]

_ONE = np.float32(1)
_HALF = np.float32(0.5)


def half_even(x: Floats, scale: Floats) -> Floats:
    return np.asarray(np.rint(x / scale), np.float32)


def half_even_by_reciprocal(x: Floats, scale: Floats) -> Floats:
    return np.asarray(np.rint(x * (_ONE / scale)), np.float32)


def half_away(x: Floats, scale: Floats) -> Floats:
    """As C's roundf. Not floor(|x| + 0.5): that addition rounds 0.49999997 up to 1."""
    steps = np.abs(x / scale)
    whole = np.floor(steps)
    return np.asarray(np.copysign(whole + (steps - whole >= _HALF), x), np.float32)
