"""torch checkpoints (.pt) and .safetensors, loaded into a small module."""

import io
import random
import struct
from pathlib import Path

import torch

from edgeq.ingest.pytorch.module import build_module
from edgeq.ingest.request import Request
from tests.fuzz.archives import changed_zip
from tests.fuzz.mutations import NUMBERS, changed_bytes, changed_json

_FACTORY = "import torch\n\ndef build():\n    return torch.nn.Linear(3, 2)\n"
_SAFE, _LEGACY = b"SAFE", b"OLD"  # in front of the content, for `read`


IN_TESTS = 40  # each takes longer than those of other readers


def examples(folder: Path) -> list[bytes]:
    (folder / "net.py").write_text(_FACTORY)
    state = torch.nn.Linear(3, 2).state_dict()
    shared = torch.arange(8.0)
    views = {"weight": shared[:6].view(2, 3), "bias": shared[6:], "half": shared.half(), "n": torch.tensor(3)}
    return [
        _saved(state),
        _saved({"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3, "name": "x"}),
        _saved(views),
        _LEGACY + _saved(state, _use_new_zipfile_serialization=False),
        _SAFE + _safe(state),
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if example.startswith(_SAFE):
        return _SAFE + _changed_safe(example[4:], rng)
    if example.startswith(_LEGACY):
        return _LEGACY + _changed_pickle("", example[3:], rng)
    return changed_zip(example, rng, _changed_pickle)


def read(content: bytes, folder: Path) -> object:
    safe = content.startswith(_SAFE)
    path = folder / ("w.safetensors" if safe else "w.pt")
    path.write_bytes(content[4:] if safe else content.removeprefix(_LEGACY))
    return build_module(Request(f"{folder}/net.py:build", folder, "net", weights=path))[1]


def _saved(state: object, **options: bool) -> bytes:
    out = io.BytesIO()
    torch.save(state, out, **options)
    return out.getvalue()


def _safe(state: "dict[str, torch.Tensor]") -> bytes:
    from safetensors.torch import save

    return save(state)


def _changed_pickle(name: str, was: bytes, rng: random.Random) -> bytes:
    """Sizes are pickled as K (one byte), M (two) or J (four); names as strings of a counted length."""
    at = [i for i, byte in enumerate(was[:-5]) if byte in b"KMJX\x8ac"]
    if rng.random() < 0.4 or not at:
        return changed_bytes(was, rng)
    place, number = rng.choice(at), rng.choice(NUMBERS)
    long = b"\x8a\x08" + struct.pack("<q", max(-(2**63), min(number, 2**63 - 1)))
    return (
        was[:place]
        + rng.choice((long, b"J" + struct.pack("<i", number % 2**31), b"(", b"cos\nsystem\n"))
        + was[place + 2 :]
    )


def _changed_safe(was: bytes, rng: random.Random) -> bytes:
    size = struct.unpack("<Q", was[:8])[0]
    if rng.random() < 0.3:
        return changed_bytes(was, rng)
    header = changed_json(was[8 : 8 + size], rng)
    return struct.pack("<Q", len(header)) + header + was[8 + size :]
