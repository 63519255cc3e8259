"""Scales, zero points and integers, as they are read from a trained file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq.quantize.trained.numbers import layers_of, limited_to_fewer, ranges_of, scale_and_zero
from tests.train.residual_network import S8, U8, network, quantized, weights_of


@given(st.floats(2.0**-20, 2.0**10, width=32), st.integers(-128, 127))
def test_a_range_holds_scale_and_zero_point_exactly(scale: float, zero: int) -> None:
    assert scale_and_zero(((-128 - zero) * scale, (127 - zero) * scale)) == (scale, zero)


@pytest.mark.parametrize("scheme", [U8, S8], ids=["U8", "S8"])
def test_unsigned_and_signed_files_have_the_same_ranges(scheme) -> None:
    ranges = ranges_of(quantized(network(), scheme))
    stored = weights_of(quantized(network(), S8))
    assert {"x", "ar", "br", "c", "dr"} <= ranges.keys()
    for name in ("x", "ar", "c"):
        assert scale_and_zero(ranges[name]) == (stored[f"{name}_scale"], stored[f"{name}_zero_point"])


def test_layers_have_their_integers_outputs_first() -> None:
    file = quantized(network(), S8)
    stored, layers = weights_of(file), {layer.name: layer for layer in layers_of(file)}
    assert layers.keys() == {"stem", "first", "second", "dense"}
    for name, layer in layers.items():
        np.testing.assert_array_equal(layer.integers, stored[f"{name}.w_quantized"])
        np.testing.assert_array_equal(layer.scale, stored[f"{name}.w_scale"])
        along = layer.scale.reshape(-1, *[1] * (layer.integers.ndim - 1))
        np.testing.assert_allclose(layer.values, layer.integers * along, rtol=1e-6)
        steps = layer.bias / stored[f"{name}.b_quantized_scale"]
        np.testing.assert_array_equal(steps, stored[f"{name}.b_quantized"])


def test_no_activation_of_8_bits_is_limited_to_fewer() -> None:
    assert limited_to_fewer(quantized(network(), S8)) == 8
