"""What a device says during an upload."""

import json
import random
from pathlib import Path

from edgeq.transport.arrival import corrupt, refused, reply_in, verified_prefix
from tests.fuzz.mutations import changed_bytes, changed_json, nested

_SIZE = 3 << 20


def examples(folder: Path) -> list[bytes]:
    (folder / "model").write_bytes(bytes(_SIZE))
    error = {"text": "x", "path": "/r/incoming/a", "folder": "/r", "need": _SIZE, "free": 5, "holder": ""}
    said = [
        {"blocks": ["0" * 64, "1" * 64], "have": 2 << 20, "free": 10**9},
        {"at": 12345},
        {"complete": True},
        {"sealed": True, "hash_s": 0.5, "sync_s": 0.25},
        {"corrupt": "2" * 64},
        *({"error": {"errno": name, **error}} for name in ("ENOSPC", "EDQUOT", "EROFS", "EAGAIN", "EIO")),
    ]
    return [json.dumps(each).encode() for each in said]


def mutated(example: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.05:
        return nested(rng, "[", "]").encode()
    return changed_bytes(example, rng) if rng.random() < 0.2 else changed_json(example, rng)


def read(content: bytes, folder: Path) -> object:
    reply = reply_in(content, _SIZE, "pi@board")
    if reply.error is not None:
        raise refused("pi@board", reply.error)
    if reply.corrupt is not None:
        raise corrupt("pi@board", "/r/incoming/a", "3" * 64, reply.corrupt, folder / "model")
    return verified_prefix(folder / "model", reply.blocks or (), reply.have)
