"""A target file of the user's own."""

import random
from pathlib import Path

from edgeq import catalog
from tests.fuzz.mutations import changed_bytes, changed_text, nested


def examples(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(catalog.shipped("targets").glob("*.toml"))]


def mutated(example: bytes, rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.05:
        return example + f"\nx = {nested(rng, '[', ']')}".encode()
    if kind < 0.3:
        return changed_bytes(example, rng)
    return changed_text(example.decode(), rng).encode(errors="surrogatepass")


def read(content: bytes, folder: Path) -> object:
    path = folder / "board.toml"
    path.write_bytes(content)
    return catalog.read_target(path)
