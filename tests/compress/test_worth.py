"""Compressed where the file arrives sooner so, by figures alone."""

import numpy as np

from edgeq.compress.pack import pack
from edgeq.compress.worth import SMALLEST_BYTES, Way, is_worth_packing, rough_size, saves_time
from tests.compress.models import onnx_file, weights

SLOW = Way(link=250_000, packs=1e6, expands=5e6, starts_s=0.5)  # 2 Mbit/s
FAST = Way(link=100_000_000, packs=1e6, expands=5e6, starts_s=0.5)
MODEL = onnx_file(w=weights(4, (512, 256, 3, 3)))


def test_on_a_slow_link_a_saved_byte_is_saved_time() -> None:
    assert saves_time(1_000_000, 400_000, SLOW, pack_s=1.0)  # 2.4 s saved; 1.0 and 0.7 s spent
    assert not saves_time(1_000_000, 400_000, SLOW, pack_s=1.8)
    assert not saves_time(1_000_000, 900_000, SLOW, pack_s=0.0)
    assert not saves_time(1_000_000, 1_000_100, SLOW, pack_s=0.0)


def test_on_a_fast_link_nothing_is_packed() -> None:
    assert not saves_time(1_000_000, 1, FAST, pack_s=0.0)
    assert is_worth_packing(MODEL, SLOW, has_old=False)
    assert not is_worth_packing(MODEL, FAST, has_old=False)


def test_bytes_that_nothing_makes_smaller_are_not_packed() -> None:
    noise = np.random.default_rng(0).bytes(1_000_000)
    assert not is_worth_packing(noise, SLOW, has_old=False)
    assert is_worth_packing(noise, SLOW, has_old=True), "what changed may be little"


def test_small_files_are_not_packed() -> None:
    slowest = Way(link=1.0, packs=1e6, expands=5e6, starts_s=0.5)
    assert not is_worth_packing(bytes(SMALLEST_BYTES - 1), slowest, has_old=True)
    assert is_worth_packing(bytes(SMALLEST_BYTES), slowest, has_old=False)


def test_the_rough_size_is_above_the_packed_one() -> None:
    assert len(pack(MODEL)) < rough_size(MODEL) < len(MODEL)
    assert rough_size(b"") == 0
