"""Cached arrays are found again under the same facts; damaged files count as missing."""

import os

import numpy as np
import pytest

from edgeq.quantize.calibration.array_cache import ArrayCache

ARRAYS = {"a": np.arange(1000), "names": np.array(["x", "über"])}


def test_it_is_found_under_the_same_facts_only(tmp_path):
    cache = ArrayCache(tmp_path / "new" / "folder")
    assert cache.find(model="m", count=3) is None
    cache.put(ARRAYS, model="m", count=3)
    found = cache.find(count=3, model="m")
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
    assert cache.find(model="m", count=4) is None


@pytest.mark.parametrize("damage", [b"", b"no zip", "cut", "scrambled"])
def test_a_damaged_file_is_as_good_as_none_and_written_anew(tmp_path, damage):
    cache = ArrayCache(tmp_path)
    cache.put(ARRAYS, model="m")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    broken = {"cut": whole[: len(whole) // 2], "scrambled": whole[:60] + b"????" + whole[64:]}
    path.write_bytes(broken[damage] if isinstance(damage, str) else damage)
    assert cache.find(model="m") is None
    cache.put(ARRAYS, model="m")
    assert cache.find(model="m") is not None


def test_nothing_is_unpickled(tmp_path):
    cache = ArrayCache(tmp_path)
    cache.put({"a": np.array([{"code": 1}], dtype=object)}, model="m")
    assert cache.find(model="m") is None


def test_the_oldest_go_when_it_gets_too_large(tmp_path):
    random = np.random.default_rng(0).integers(0, 255, 10_000, dtype=np.uint8)
    cache = ArrayCache(tmp_path, most=35_000)
    for k in range(5):
        cache.put({"a": random}, number=k)
        for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda p: -p.stat().st_mtime)):
            os.utime(path, (1000 - age, 1000 - age))
        cache.find(number=0)  # what is used is not old
    assert [cache.find(number=k) is not None for k in range(5)] == [True, False, False, True, True]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    ArrayCache(tmp_path / "file").put(ARRAYS, model="m")
    assert ArrayCache(tmp_path / "file").find(model="m") is None


def test_what_a_killed_process_left_beside_goes_after_a_day(tmp_path):
    left, written = tmp_path / ".left.part", tmp_path / ".written.part"
    for path in (left, written):
        path.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    ArrayCache(tmp_path).put(ARRAYS, model="m")
    assert not left.exists()
    assert written.exists()


def test_without_compression_it_is_checked_too(tmp_path):
    cache = ArrayCache(tmp_path, compressed=False)
    cache.put({"weights": np.arange(1000)}, model="m")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:500] + b"????" + whole[504:])
    assert cache.find(model="m") is None
