"""A .tflite file: bytes and offsets of its flatbuffer."""

import random
import struct
from pathlib import Path

from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from tests.fuzz.mutations import NUMBERS, changed_bytes
from tests.quantize.tflite_networks import convolution, dense, two_outputs

IN_TESTS = 40  # each takes longer than those of other readers


def examples(folder: Path) -> list[bytes]:
    return [make(folder / "example.tflite").read_bytes() for make in (convolution, dense, two_outputs)]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return changed_bytes(example, rng)
    at = rng.randrange(8, len(example) // 4) * 4
    number = rng.choice(
        (*NUMBERS, struct.unpack("<I", example[at : at + 4].ljust(4, b"\0"))[0] + rng.choice((-4, 4, 1)))
    )
    return example[:at] + struct.pack("<I", number % (1 << 32)) + example[at + 4 :]


def read(content: bytes, folder: Path) -> object:
    path = folder / "model.tflite"
    path.write_bytes(content)
    return open_model(Request(str(path), workdir=folder / "work", formats=("tflite",)))
