"""What nobody packed is refused as ArtifactCorrupt, before memory is taken for it."""

import contextlib
import hashlib
import lzma
import random
import subprocess
import sys

import numpy as np
import pytest

from edgeq.compress.expand import HEADER, MAGIC, expand
from edgeq.compress.expand.fields import Fields, Malformed
from edgeq.compress.expand.plan import CODED, TENSOR, read_plan
from edgeq.compress.expand.streams import FILTERS
from edgeq.compress.expand.tables import SUM, frequencies
from edgeq.compress.pack import pack
from edgeq.compress.write import number
from edgeq.errors import ArtifactCorrupt
from tests.compress.models import floats, onnx_file, weights
from tests.fuzz.mutations import changed_bytes

CONTENT = onnx_file(w=weights(4), f=floats((64, 32)), b=np.arange(100, dtype=np.int32))
SHA = hashlib.sha256(CONTENT).hexdigest()


def packed_by_lzma(content: bytes) -> bytes:
    return lzma.compress(content, lzma.FORMAT_RAW, filters=FILTERS)


def test_another_size_or_hash_is_refused() -> None:
    packed = pack(CONTENT)
    with pytest.raises(ArtifactCorrupt, match=f"expands to {len(CONTENT)} bytes, and the file has 7"):
        expand(packed, SHA, 7)
    with pytest.raises(ArtifactCorrupt, match="another sha256"):
        expand(packed, "0" * 64, len(CONTENT))


def test_another_old_file_is_refused() -> None:
    old = onnx_file(w=weights(4), f=floats((64, 32)))
    packed = pack(CONTENT, old)
    assert expand(packed, SHA, len(CONTENT), old) == CONTENT
    for other in (None, b"", old[:-1], bytes(len(old))):
        with pytest.raises(ArtifactCorrupt):
            expand(packed, SHA, len(CONTENT), other)


def test_cut_anywhere_it_is_refused() -> None:
    packed = pack(CONTENT)
    for at in (*range(60), *range(60, len(packed), 97), len(packed) - 1):
        with pytest.raises(ArtifactCorrupt):
            expand(packed[:at], SHA, len(CONTENT))
    with pytest.raises(ArtifactCorrupt):
        expand(packed + b"x", SHA, len(CONTENT))


def test_changed_anywhere_it_is_refused_or_the_same() -> None:
    packed, rng = pack(CONTENT), random.Random(1)
    for _ in range(300):
        with contextlib.suppress(ArtifactCorrupt):
            assert expand(changed_bytes(packed, rng), SHA, len(CONTENT)) == CONTENT


def test_a_bomb_is_refused_by_what_it_announces() -> None:
    zeros = packed_by_lzma(bytes(1 << 26))
    header = HEADER.pack(MAGIC, 1000, len(zeros), 1 << 26, 0, 0, 0)
    with pytest.raises(ArtifactCorrupt, match="larger than the file"):
        expand(header + zeros, SHA, 1000)


def test_a_plan_of_large_tensors_is_refused_before_they_are_made() -> None:
    huge = number(512) + number(1) + number(1) + bytes([9]) + number(TENSOR) + number(1) + number(2)
    huge += number(1 << 20) + number(1 << 20)
    with pytest.raises(Malformed, match="1048576 where"):
        read_plan(Fields(huge), 1000, 0)


def test_symbols_of_a_table_that_there_is_not_are_refused() -> None:
    plan = number(512) + number(1) + number(1) + bytes([9])
    plan += number(TENSOR) + number(1) + number(1) + number(100) + number(0)
    plan += number(CODED) + number(0) + number(1) + number(0) + number(0) + number(0)
    with pytest.raises(Malformed, match="a table that there is not"):
        read_plan(Fields(plan), 100, 0)


@pytest.mark.parametrize("codes", [[], [0], [0, 0], [200], [1] * 256, [111] * 256, [9, 0, 111]])
def test_frequencies_sum_to_the_same_or_are_refused(codes: list[int]) -> None:
    if not any(codes) or max(codes) > 112:
        with pytest.raises(Malformed):
            frequencies(codes)
    else:
        found = frequencies(codes)
        assert sum(found) == SUM and min(found) >= 0 and max(found) < SUM


def test_it_takes_little_more_memory_than_the_file() -> None:
    """In a process of its own, which may have the file and what `WORKING_BYTES` says."""
    code = """
import sys
import numpy
from edgeq.compress.expand import WORKING_BYTES, expand
packed, size, sha = sys.stdin.buffer.read(), int(sys.argv[1]), sys.argv[2]
def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
before = kilobytes("VmRSS:")
expand(packed, sha, size)
taken = (kilobytes("VmHWM:") - before) * 1024
assert taken < size + WORKING_BYTES, taken / 1e6
"""
    content = onnx_file(w=weights(4, (512, 512, 3, 3)), f=floats((512, 1024)))
    words = [sys.executable, "-c", code, str(len(content)), hashlib.sha256(content).hexdigest()]
    subprocess.run(words, input=pack(content), check=True)
