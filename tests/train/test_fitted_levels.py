"""A training of few levels begins with what post-training quantization fits: closer to float, and the file is the network."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

from edgeq.graphs.ort_session import ort_session  # noqa: E402
from edgeq.nouns.weight_levels import KINDS, UNIFORM  # noqa: E402
from edgeq.quantize.evaluate.sqnr import sqnr_db  # noqa: E402
from edgeq.train.fitted_levels import stored_levels, with_fitted_levels, within_cells  # noqa: E402
from edgeq.train.low_bit_layers import low_bit_layers  # noqa: E402
from edgeq.train.low_bits import Bits, with_low_bits  # noqa: E402
from edgeq.train.quantized_network import QuantizedNetwork  # noqa: E402
from tests.train.residual_network import U8, images, network, quantized, weights_of  # noqa: E402

SAMPLES = images(64)
OTHERS = images(128).images[64:]
BITS = {"apot": Bits(3, 8, "apot"), "codebook": Bits(2, 8, "codebook")}
BITS |= {"ternary": Bits(2, 8, "ternary"), "binary": Bits(1, 4, "binary")}
LOW = ("first.w_quantized", "second.w_quantized")


def outputs(model: onnx.ModelProto) -> np.ndarray:
    session = ort_session(model, threads=1)
    return np.concatenate([session.run(None, {"x": x[None]})[0] for x in OTHERS])


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {UNIFORM}))
def test_it_is_closer_to_float_than_the_nearest_levels_and_comes_back_byte_for_byte(kind: str) -> None:
    bits, file = BITS[kind], quantized(network(), U8)
    low = low_bit_layers(file, bits)
    nearest = with_low_bits(file, weights_of(network()), low, SAMPLES)
    fitted = with_fitted_levels(nearest, network(), low, SAMPLES)
    wanted = outputs(network())
    assert sqnr_db(wanted, outputs(fitted)) > sqnr_db(wanted, outputs(nearest)) + 1
    stored = weights_of(fitted)
    assert all(len(np.unique(row)) <= 2**bits.weights for name in LOW for row in stored[name])
    back = weights_of(QuantizedNetwork(fitted, weights_of(network()), low).eval().model())
    assert {n for n in stored if back[n].tobytes() != stored[n].tobytes()} == set()


def test_uniform_levels_and_few_samples_stay_as_they_are() -> None:
    file = quantized(network(), U8)
    assert with_fitted_levels(file, network(), {"first": Bits(4)}, SAMPLES) is file
    assert with_fitted_levels(file, network(), {"first": BITS["apot"]}, images(4)) is file


@pytest.mark.parametrize("axis", [0, 1, None])
def test_weights_move_to_where_the_integers_of_the_file_are_nearest(axis: int | None) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(6, 5)).astype(np.float32)
    integers = rng.choice(np.array([-50, -7, 20], np.int8), size=(6, 5))
    scale = np.full((6, 5)[axis] if axis is not None else (), 0.02, np.float32)
    levels = stored_levels(integers, scale, axis, BITS["codebook"])
    moved = within_cells(weights, integers, levels)
    assert np.array_equal(levels(levels.levels.nearest(moved)), integers)
    kept = levels(levels.levels.nearest(weights)) == integers
    assert np.array_equal(moved[kept], weights[kept]) or np.abs(moved - weights)[kept].max() < 0.01


def test_a_channel_of_zeros_has_zeros_alone() -> None:
    integers = np.array([[1, -1, 1], [0, 0, 0]], np.int8)
    levels = stored_levels(integers, np.ones(2, np.float32), 0, BITS["binary"])
    assert levels.integers.tolist() == [[-1, 1], [0, 0]]
