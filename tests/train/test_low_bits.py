"""Layers below 8 bits: few levels for weights, few integers for what they read, and everything else as it was."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

torch = pytest.importorskip("torch")

from edgeq.errors import TargetRefused  # noqa: E402
from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.graphs.stages import ending_at  # noqa: E402
from edgeq.nouns.weight_levels import KINDS, bits_of  # noqa: E402
from edgeq.quantize.backends.ort.qdq import emitted  # noqa: E402
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of  # noqa: E402
from edgeq.quantize.numerics.level_kinds import uniform_levels  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.low_bits import Bits, with_low_bits  # noqa: E402
from tests.train.residual_network import S8, U8, images, network, quantized, weights_of  # noqa: E402


def low(bits: Bits, scheme: object = U8) -> onnx.ModelProto:
    floats = network()
    file = quantized(floats, S8 if scheme is S8 else U8)
    return with_low_bits(file, weights_of(floats), low_bit_layers(file, bits), images(64))


def test_the_first_and_the_last_layer_keep_eight_bits() -> None:
    assert list(low_bit_layers(quantized(network()), Bits(4, 4))) == ["first", "second"]
    assert low_bit_layers(quantized(network()), Bits()) == {}


def test_a_network_of_outer_layers_alone_is_refused() -> None:
    shallow = network(inner=False)
    with pytest.raises(TargetRefused, match="has no layer for fewer than 8 bits"):
        low_bit_layers(quantized(shallow), Bits(2, 8))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_weights_have_so_many_levels(bits: int) -> None:
    stored = weights_of(low(Bits(bits, 8)))
    for name in ("first.w_quantized", "second.w_quantized"):
        assert stored[name].dtype == np.int8
        assert stored[name].min() >= -(2 ** (bits - 1)) and stored[name].max() < 2 ** (bits - 1)
    assert np.abs(stored["stem.w_quantized"]).max() == 127


@pytest.mark.parametrize("scheme", [U8, S8], ids=["U8", "S8"])
@pytest.mark.parametrize("bits", [2, 4])
def test_what_the_layers_read_has_so_many_integers(scheme: object, bits: int) -> None:
    file = low(Bits(8, bits), scheme)
    clips = [node.output[0] for node in file.graph.node if node.op_type == "Clip"]
    assert len(clips) == 2
    session = ort_session(ending_at(file, clips), threads=1, optimize=False)
    for values in session.run(None, {"x": images(4).images[:1]}):
        assert 2 <= len(np.unique(values)) <= 2**bits


def test_the_skip_of_a_residual_keeps_its_eight_bits() -> None:
    """The addition reads the stem's output as before; the layer behind it reads a narrower copy."""
    file = low(Bits(4, 4))
    add = next(node for node in file.graph.node if node.name == "add")
    assert add.input[1] == "ar_DequantizeLinear_Output"


def test_scales_are_those_of_the_least_error() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (4, 64)).astype(np.float32)
    best = uniform_levels(weights, 3, 0).scale

    def error(scale: np.ndarray) -> np.ndarray:
        steps = np.clip(np.round(weights / scale[:, None]), -4, 3)
        return np.square(steps * scale[:, None] - weights).sum(axis=1)

    for factor in (0.5, 0.8, 1.25, 2.0):
        assert (error(best) <= error(best * np.float32(factor))).all()


def test_biases_keep_their_values_in_steps_of_the_new_scales() -> None:
    before, after = weights_of(quantized(network())), weights_of(low(Bits(2, 2)))
    for layer in ("first", "second"):
        old = before[f"{layer}.b_quantized"] * before[f"{layer}.b_quantized_scale"].astype(np.float64)
        step = after[f"{layer}.b_quantized_scale"]
        new = after[f"{layer}.b_quantized"] * step.astype(np.float64)
        assert np.abs(new - old).max() <= step.max() / 2 * 1.001


def test_the_file_given_stays_as_it_is() -> None:
    floats = network()
    file = quantized(floats)
    stored = file.SerializeToString()
    with_low_bits(file, weights_of(floats), low_bit_layers(file, Bits(2, 2)), images(8))
    assert file.SerializeToString() == stored
    assert numpy_helper.to_array(file.graph.initializer[0]).size


@pytest.mark.parametrize(
    ("kind", "bits", "most"), [("apot", 3, 8), ("codebook", 2, 4), ("ternary", 2, 3), ("binary", 1, 2)]
)
def test_every_kind_of_levels_is_stored_as_int8(kind: str, bits: int, most: int) -> None:
    stored = weights_of(low(Bits(bits, 8, kind)))
    for row in stored["first.w_quantized"]:
        assert row.dtype == np.int8 and 1 < len(np.unique(row)) <= most


@pytest.mark.parametrize(
    ("kind", "asked", "bits"),
    [("uniform", None, 8), ("uniform", 3, 3), ("apot", None, 4), ("ternary", None, 2), ("binary", 1, 1)],
)
def test_a_kind_has_bits_of_its_own(kind: str, asked: int | None, bits: int) -> None:
    assert kind in KINDS and bits_of(kind, asked) == bits


@pytest.mark.parametrize(("kind", "asked"), [("binary", 2), ("uniform", 1), ("apot", 8), ("codebook", 5)])
def test_bits_that_a_kind_does_not_have_are_refused(kind: str, asked: int) -> None:
    with pytest.raises(TargetRefused, match=f"{kind} weights have"):
        bits_of(kind, asked)


def test_a_network_whose_stem_is_in_float_has_few_bits_behind_it() -> None:
    """There the first QuantizeLinear of the file is itself narrowed."""
    floats = network()
    seen = calibrate_onnx(floats, images(16), histogram=False)
    file = emitted(floats, U8, ranges_of(seen, "minmax"), frozenset({"stem", "add"}))[0]
    low = low_bit_layers(file, Bits(4, 4))
    made = with_low_bits(file, weights_of(floats), low, images(16))
    assert sum(node.op_type == "Clip" for node in made.graph.node) == len(low) > 0
