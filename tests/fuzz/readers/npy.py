"""Samples as one .npy, and as a folder of them with labels.npy."""

import contextlib
import io
import random
from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.samples import open_samples, peek
from edgeq.nouns.tensor import TensorSpec
from tests.fuzz.archives import changed_npy

INPUTS = (TensorSpec("x", "float32", (1, 3)),)


def examples(folder: Path) -> list[bytes]:
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    return [
        _npy(a)
        for a in (
            x,
            x.astype(np.float64),
            np.asfortranarray(x),
            x[0],
            np.arange(6),
            np.array(["a", "b"]),
            np.zeros((0, 3)),
        )
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    return changed_npy(example, rng)


def read(content: bytes, folder: Path) -> object:
    path = folder / "many"
    path.mkdir(exist_ok=True)
    (path / "a.npy").write_bytes(_npy(np.zeros((1, 3), np.float32)))
    (path / "labels.npy").write_bytes(content)
    with contextlib.suppress(DataRefused):
        open_samples(str(path), inputs=INPUTS).labels  # noqa: B018
    alone = folder / "data.npy"
    alone.write_bytes(content)
    peek(str(alone), None)
    samples = open_samples(str(alone), inputs=INPUTS)
    return [samples[i] for i in range(min(8, len(samples)))]


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()
