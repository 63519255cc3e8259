"""Packed and expanded, a file is the same bit for bit; and it is smaller by what is known of it."""

import hashlib
import lzma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeq.compress.bounded import bounded
from edgeq.compress.difference import Old
from edgeq.compress.expand import expand
from edgeq.compress.expand.plan import AS_IS, MOST_SEGMENTS
from edgeq.compress.levels import AlongAxis
from edgeq.compress.pack import pack
from edgeq.compress.pieces import CopyPiece, PlainPiece, Symbols, TensorPiece
from tests.compress.models import floats, onnx_file, weights


def back(content: bytes, base: bytes | None = None) -> int:
    """The packed size, once it was seen to come back."""
    packed = pack(content, base)
    assert expand(packed, hashlib.sha256(content).hexdigest(), len(content), base) == content
    return len(packed)


def xz(content: bytes) -> int:
    return len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        bytes(100_000),
        np.random.default_rng(0).bytes(30_000),
        onnx_file(w=floats((3, 3))),
        onnx_file(w=np.arange(256, dtype=np.uint8).reshape(1, 256)),
        onnx_file(b=np.arange(-500, 500, dtype=np.int32), s=floats((2000,)), h=floats((40, 40)).astype("f2")),
        onnx_file(w=np.full((20, 20), np.nan, np.float32), v=np.zeros((64, 64), np.int8)),
        onnx_file(w=np.random.default_rng(1).integers(-128, 128, (5, 7, 3, 2, 2)).astype(np.int8)),
        onnx_file(w=floats((1, 3000)), v=floats((3000, 1))),
    ],
    ids=lambda content: f"{len(content)}_bytes",
)
def test_any_file_comes_back(content: bytes) -> None:
    assert back(content) < len(content) + 200


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_damaged_and_odd_models_come_back(noise: bytes, seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    content = onnx_file(w=rng.integers(-9, 9, (rows, columns)).astype(np.int8), b=floats((columns,)))
    at = int(rng.integers(len(content)))
    back(content)
    back(content[:at] + noise + content[at:])
    back(content[:at])


def test_few_levels_take_their_entropy() -> None:
    content = onnx_file(w=weights(4, (256, 64, 3, 3)))
    assert back(content) < 0.93 * xz(content)


def codebooks(shape: tuple[int, ...], count: int, axis: int) -> np.ndarray:
    """Weights on `count` levels, others at each place along `axis`."""
    rng = np.random.default_rng(0)
    books = np.sort(rng.integers(-127, 128, (shape[axis], count)), axis=1)
    spread = np.clip(np.rint(rng.normal(size=shape) * count / 5 + count / 2), 0, count - 1).astype(int)
    places = np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
    return books[places, spread].astype(np.int8)


@pytest.mark.parametrize("axis", [0, 3])
@pytest.mark.parametrize("count", [2, 5, 8, 16])
def test_a_codebook_of_each_output_takes_the_numbers_of_its_levels(count: int, axis: int) -> None:
    """And 1 kB or so for the codebooks; without them a weight would take 6 bits or more."""
    shape = (32, 16, 3, 32)
    size = back(onnx_file(w=codebooks(shape, count, axis)))
    assert size < np.prod(shape) * np.log2(count) / 8 + 32 * count + 500


def test_an_output_with_fewer_levels_than_others_comes_back() -> None:
    w = codebooks((32, 16, 3, 3), 8, 0)
    w[3], w[4, 0] = 5, w[4, 1, 0, 0]
    w[5] = np.where(w[5] > 0, np.int8(127), np.int8(-128))
    assert back(onnx_file(w=w)) < 2600


def test_tables_follow_the_spread_of_each_output() -> None:
    """Spread unlike, the same values cost less than their entropy as a whole."""
    rng = np.random.default_rng(0)
    spread = np.exp2(rng.uniform(-3, 0, (256, 1, 1, 1)))
    w = np.clip(np.rint(rng.normal(size=(256, 64, 3, 3)) * 40 * spread), -127, 127).astype(np.int8)
    counts = np.bincount(w.view(np.uint8).reshape(-1), minlength=256)
    shares = counts[counts > 0] / w.size
    assert back(onnx_file(w=w)) < 0.98 * w.size * -(shares * np.log2(shares)).sum() / 8


def test_where_zeros_dominate_a_weight_takes_less_than_a_bit() -> None:
    w = weights(4, (128, 64, 3, 3))
    w[np.random.default_rng(2).random(w.shape) < 0.95] = 0
    assert back(onnx_file(w=w)) < 0.6 * w.size / 8


def test_floats_that_share_their_values_are_numbers_of_them() -> None:
    shared = weights(8, (128, 64, 3, 3)).astype(np.float32) * np.float32(0.0123)
    content = onnx_file(w=shared)
    assert back(content) < 0.26 * len(content)


def test_of_other_floats_the_exponents_get_smaller() -> None:
    content = onnx_file(w=floats((128, 64, 3, 3)))
    assert back(content) < 0.86 * len(content) < xz(content)


def test_packing_is_deterministic() -> None:
    content = onnx_file(w=weights(4), b=floats((300,)))
    assert pack(content) == pack(content)


def test_more_pieces_than_a_device_accepts_are_sent_as_fewer() -> None:
    """Every 32 bytes are a copy from elsewhere in the old file, which has a large tensor's bytes too."""
    rng = np.random.default_rng(3)
    blocks = [rng.bytes(32) for _ in range(MOST_SEGMENTS + 1000)]
    large = rng.bytes(200_000)
    old = b"".join((large, *blocks))
    new = b"".join((*blocks[::-1], large))
    pieces = bounded(list(Old(old).gap(new)), new)
    assert pieces == [PlainPiece(new[: -len(large)]), CopyPiece(0, len(large))]
    assert back(new, old) < len(new) - len(large) + 200


def test_a_column_has_a_plan_that_is_larger_than_itself() -> None:
    """Each row of one weight has two bytes of levels in the plan."""
    content = onnx_file(w=np.random.default_rng(4).integers(100, 104, (20_000, 1)).astype(np.uint8))
    assert back(content) < 0.3 * len(content)


def test_a_plan_larger_than_a_device_accepts_is_not_made() -> None:
    """Two bytes of levels for each of five million rows of one weight."""
    column = np.zeros((5_000_000, 1), np.uint8)
    middle = AlongAxis(0, np.zeros(len(column), np.uint8), np.ones(len(column), np.uint8))
    piece = TensorPiece(1, column.shape, AS_IS, (Symbols(column.view(np.int8), middle, "integers"),))
    assert bounded([piece], column.tobytes()) == [PlainPiece(column.tobytes())]
