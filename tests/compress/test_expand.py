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
from edgeq.compress.expand.plan import CODED, MOST_IN_A_LANE, MOST_SEGMENTS, PLAIN, TENSOR, read_plan
from edgeq.compress.expand.streams import FILTERS
from edgeq.compress.expand.tables import SUM, frequencies
from edgeq.compress.pack import pack
from edgeq.compress.write import lanes_for, number
from edgeq.errors import ArtifactCorrupt
from tests.compress.models import floats, onnx_file, weights
from tests.fuzz.mutations import changed_bytes

CONTENT = onnx_file(w=weights(4), f=floats((64, 32)), b=np.arange(100, dtype=np.int32))
SHA = hashlib.sha256(CONTENT).hexdigest()


def packed_by_lzma(content: bytes) -> bytes:
    return lzma.compress(content, lzma.FORMAT_RAW, filters=FILTERS)


def one_plain_segment(content: bytes) -> bytes:
    """As `pack` writes what is no model, by a quicker preset of lzma."""
    plan, rest = number(0) + number(0) + number(PLAIN) + number(len(content)), packed_by_lzma(content)
    packed_plan = packed_by_lzma(plan)
    header = HEADER.pack(MAGIC, len(content), len(packed_plan), len(plan), len(rest), len(content), 0)
    return header + packed_plan + rest


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


def test_more_segments_than_any_real_file_has_are_refused() -> None:
    """Each is an object in memory, and a byte of the file would be enough for one."""
    head, a_byte = number(0) + number(0), number(PLAIN) + number(1)
    read_plan(Fields(head + a_byte * MOST_SEGMENTS), MOST_SEGMENTS, 0)
    with pytest.raises(Malformed, match="more than 8,192 segments"):
        read_plan(Fields(head + a_byte * (MOST_SEGMENTS + 1)), MOST_SEGMENTS + 1, 0)


def plan_of_symbols(lanes: int, count: int) -> bytes:
    plan = number(lanes) + number(1) + number(1) + bytes([9])
    plan += number(TENSOR) + number(1) + number(1) + number(count) + number(0)
    return plan + number(CODED) + number(0) + number(0) + number(0) + number(0) + number(0)


def test_symbols_that_too_few_lanes_would_decode_for_minutes_are_refused() -> None:
    most = 2 * MOST_IN_A_LANE
    read_plan(Fields(plan_of_symbols(2, most)), most, 0)
    with pytest.raises(Malformed, match="8,193 symbols are too many for 2 lanes"):
        read_plan(Fields(plan_of_symbols(2, most + 1)), most + 1, 0)
    with pytest.raises(Malformed, match="too many for 0 lanes"):
        read_plan(Fields(plan_of_symbols(0, 100)), 100, 0)


def test_the_packer_takes_lanes_enough_for_any_number_of_symbols() -> None:
    for count in (64, 10_000, 1 << 20, 1 << 23, 1 << 26, 1 << 30):
        read_plan(Fields(plan_of_symbols(lanes_for(count), count)), count, 0)


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
    model = onnx_file(w=weights(4, (512, 512, 3, 3)), f=floats((512, 1024)))
    for content, packer in ((model, pack), (bytes(100_000_000), one_plain_segment)):
        words = [sys.executable, "-c", code, str(len(content)), hashlib.sha256(content).hexdigest()]
        subprocess.run(words, input=packer(content), check=True)
