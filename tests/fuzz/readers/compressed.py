"""Compressed files as they come to a device (edgeq/compress/expand): changed bytes, and changed plans that are packed anew."""

import hashlib
import lzma
import random
from pathlib import Path

import numpy as np

from edgeq.compress.expand import HEADER, MAGIC, expand
from edgeq.compress.expand.streams import FILTERS
from edgeq.compress.pack import pack
from tests.compress.models import floats, onnx_file, weights
from tests.fuzz.mutations import NUMBERS, changed_bytes

_OLD = onnx_file(w=weights(8), f=floats((64, 32)))


def examples(folder: Path) -> list[bytes]:
    """Each with the size that is asked for before it."""
    biases = np.arange(100, dtype=np.int32)
    files = [
        onnx_file(w=weights(4), f=floats((64, 32)), b=biases),
        onnx_file(w=weights(8) + np.int8(1), f=floats((64, 32), seed=1), b=biases),
        onnx_file(k=(np.arange(32)[:, None] * np.arange(-4, 4)[np.arange(64) % 8]).astype(np.int8)),
        onnx_file(p=weights(6).astype(np.float32), h=floats((40, 40)).astype(np.float16)),
    ]
    return [len(f).to_bytes(8, "little") + packed for f in files for packed in (pack(f), pack(f, _OLD))]


def mutated(example: bytes, rng: random.Random) -> bytes:
    size, packed = example[:8], example[8:]
    if rng.random() < 0.3:
        return size + changed_bytes(packed, rng)
    header = list(HEADER.unpack(packed[: HEADER.size]))
    plan = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS).decompress(
        packed[HEADER.size : HEADER.size + header[2]]
    )
    rest = packed[HEADER.size + header[2] :]
    plan = changed_bytes(plan, rng) if rng.random() < 0.9 else plan
    if rng.random() < 0.1:
        rest = changed_bytes(rest, rng)
    again = lzma.compress(plan, lzma.FORMAT_RAW, filters=FILTERS)
    header[2:4] = len(again), len(plan)
    if rng.random() < 0.1:
        at = rng.randrange(1, len(header))
        header[at] = abs(rng.choice(NUMBERS)) % (1 << (32 if at in (2, 3) else 64))
    if rng.random() < 0.05:
        size = rng.choice((0, 1, 1000, 1 << 28)).to_bytes(8, "little")
        header[1] = int.from_bytes(size, "little")
    assert header[0] == MAGIC
    return size + HEADER.pack(*header) + again + rest


def read(content: bytes, folder: Path) -> object:
    size = int.from_bytes(content[:8], "little")
    sha256 = hashlib.sha256(content).hexdigest()  # nothing has it: what expands gets as far as that
    return expand(content[8:], sha256, size, _OLD)
