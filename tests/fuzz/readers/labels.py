"""labels.csv beside a folder of samples."""

import io
import random
from pathlib import Path

import numpy as np

from edgeq.ingest.samples import open_samples
from edgeq.ingest.split import split
from edgeq.nouns.tensor import TensorSpec
from tests.fuzz.mutations import changed_bytes, changed_text

INPUTS = (TensorSpec("x", "float32", (1, 3)),)


def examples(folder: Path) -> list[bytes]:
    rows = [f"{i}.npy,{i % 2}" for i in range(4)]
    return [
        "\n".join(r).encode() for r in (rows, ["file,label", *rows], [f'"{i}.npy", {i}' for i in range(4)])
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return changed_bytes(example, rng)
    return changed_text(example.decode(), rng).encode(errors="surrogatepass")


def read(content: bytes, folder: Path) -> object:
    place = folder / "samples"
    place.mkdir(exist_ok=True)
    for i in range(4):
        out = io.BytesIO()
        np.save(out, np.full((1, 3), i, np.float32))
        (place / f"{i}.npy").write_bytes(out.getvalue())
    (place / "labels.csv").write_bytes(content)
    samples = open_samples(str(place), inputs=INPUTS)
    return samples.labels, split(samples, calibrate=2)
