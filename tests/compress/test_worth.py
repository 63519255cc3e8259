"""Compressed where the file arrives sooner so, by figures alone."""

import numpy as np

from edgeq.compress.pack import pack
from edgeq.compress.worth import Way, gained_s, rough_size, saves_time
from tests.compress.models import onnx_file, weights

SLOW = Way(link=250_000, packs=1e6, expands=5e6, starts_s=0.5)  # 2 Mbit/s
FAST = Way(link=100_000_000, packs=1e6, expands=5e6, starts_s=0.5)
MODEL = onnx_file(w=weights(4, (512, 256, 3, 3)))


def test_on_a_slow_link_a_saved_byte_is_saved_time() -> None:
    assert saves_time(1_000_000, 400_000, SLOW, pack_s=1.0)  # 2.4 s saved; 1.0 and 0.7 s spent
    assert not saves_time(1_000_000, 400_000, SLOW, pack_s=1.8)
    assert not saves_time(1_000_000, 900_000, SLOW, pack_s=0.0)
    assert not saves_time(1_000_000, 1_000_100, SLOW, pack_s=0.0)


def test_on_a_fast_link_nothing_is_gained() -> None:
    assert not saves_time(1_000_000, 1, FAST, pack_s=0.0)
    assert gained_s(MODEL, SLOW, has_old=False) > 0 > gained_s(MODEL, FAST, has_old=False)


def test_bytes_that_nothing_makes_smaller_gain_nothing() -> None:
    noise = np.random.default_rng(0).bytes(1_000_000)
    assert gained_s(noise, SLOW, has_old=False) < 0
    assert gained_s(noise, SLOW, has_old=True) > 0, "what changed may be little"


def test_the_rough_size_is_above_the_packed_one() -> None:
    assert len(pack(MODEL)) < rough_size(MODEL) < len(MODEL)
    assert rough_size(b"") == 0
