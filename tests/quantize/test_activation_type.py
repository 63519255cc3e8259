"""A QDQ file with its activations in another type computes the same values."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.quantize.activation_type import activation_type_of, with_activation_type  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.low_bits import Bits, with_low_bits  # noqa: E402
from tests.train.residual_network import S8, U8, images, network, quantized, weights_of  # noqa: E402


@pytest.mark.parametrize("bits", [8, 3])
@pytest.mark.parametrize(("scheme", "other"), [(U8, "int8"), (S8, "uint8")], ids=["to S8", "to U8"])
def test_values_stay_and_types_change(scheme, other, bits):
    file = quantized(network(), scheme)
    low = low_bit_layers(file, Bits(bits, bits))
    file = with_low_bits(file, weights_of(network()), low, images(16)) if low else file
    moved = with_activation_type(file, other)
    assert (activation_type_of(file), activation_type_of(moved)) == (scheme.activations, other)
    x = images(16).images
    one, two = (ort_session(m, threads=1, optimize=False) for m in (file, moved))
    for i in range(16):
        feed = {"x": x[i : i + 1]}
        assert np.array_equal(one.run(None, feed)[0], two.run(None, feed)[0])


def test_there_and_back_every_constant_is_as_it_was():
    file = quantized(network(), S8)
    back = with_activation_type(with_activation_type(file, "uint8"), "int8")
    one, two = weights_of(file), weights_of(back)
    assert one.keys() == two.keys()
    assert all(a.dtype == two[name].dtype and np.array_equal(a, two[name]) for name, a in one.items())


def test_weights_keep_their_type():
    moved = weights_of(with_activation_type(quantized(network(), U8), "int8"))
    before = weights_of(quantized(network(), U8))
    for name in ("stem.w_quantized", "dense.w_quantized", "first.b_quantized"):
        assert np.array_equal(moved[name], before[name])
