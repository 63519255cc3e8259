"""Samples and labels in an .npz, as `--data` takes them."""

import io
import random
from pathlib import Path

import numpy as np

from edgeq.ingest.samples import may_differ, open_samples, peek
from edgeq.nouns.tensor import TensorSpec
from tests.fuzz.archives import bomb, changed_npy, changed_zip

INPUTS = (TensorSpec("x", "float32", (1, 3)),)
_HEADER = b"\x93NUMPY\x01\x00F\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3), }"


def examples(folder: Path) -> list[bytes]:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(6, 3)).astype(np.float32), np.arange(6) % 2
    return [
        _written(np.savez, x=x, labels=labels),
        _written(np.savez_compressed, x=x, label=labels.astype(np.float32)),
        _written(np.savez, x=x, labels=np.eye(2)[labels], rate=np.int64(16000)),
        _written(np.savez, x=x, labels=np.array(["ant", "bee"] * 3)),
        _written(np.savez, x, labels=labels),
        _written(np.savez, *(x[: i + 1] for i in range(3))),
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.01:
        rows = rng.choice((10, 1_000_000, 20_000_000))
        return bomb("x.npy", (_HEADER % rows).ljust(79) + b"\n", min(rows, 1_000_000) * 12)
    return changed_zip(example, rng, lambda name, was, rng: changed_npy(was, rng))


def read(content: bytes, folder: Path) -> object:
    path = folder / "data.npz"
    path.write_bytes(content)
    peek(str(path), None)
    may_differ(str(path), None)
    samples = open_samples(str(path), inputs=INPUTS)
    return [samples[i] for i in range(min(8, len(samples)))], samples.labels, samples.notes


def _written(save, *arrays, **named) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()
