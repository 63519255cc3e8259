"""The locks of deploy/wheels, whose names and versions become files here and on devices."""

import random
from pathlib import Path

from edgeq import catalog
from edgeq.agent.facts import read_facts
from edgeq.deliver.provision import to_fetch
from edgeq.deliver.wheel_locks import read_locks
from tests.fuzz.mutations import changed_bytes, changed_text


def examples(folder: Path) -> list[bytes]:
    shipped = catalog.shipped("deploy") / "wheels"
    return [
        (shipped / name).read_bytes()
        for name in ("onnxruntime-cp311-aarch64.txt", "tflite-runtime-cp39-armv7l.txt")
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return changed_bytes(example, rng)
    return changed_text(example.decode(), rng).encode(errors="surrogatepass")


def read(content: bytes, folder: Path) -> object:
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "onnxruntime-cp311-aarch64.txt").write_bytes(content)
    (lock,) = read_locks(locks)
    for pin in lock.pins:
        assert "/" not in pin.file and "/" not in pin.folder and pin.platforms
    return to_fetch(lock, folder / "cache"), lock.glibc, lock.from_device, read_facts("/").arch
