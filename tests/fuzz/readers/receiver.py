"""What a host sends to the receiver on a device: the order and the bytes. Whatever comes, it says its last word or ends in silence,
and nothing is stored but a file of the promised hash.
"""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

from edgeq.transport import receive_on_device
from edgeq.transport.receive_on_device import Cut
from tests.fuzz.mutations import changed_bytes, changed_json

OWN_ERRORS = (OSError, Cut)
_DATA = b"0123456789" * 50


def examples(folder: Path) -> list[bytes]:
    sha = hashlib.sha256(_DATA).hexdigest()
    order = {"path": "incoming/" + sha, "size": len(_DATA), "sha256": sha, "block": 64, "idle_s": 0.2}
    return [json.dumps(order).encode() + b"\n" + start + b"\n" + _DATA for start in (b"0", b"64")]


def mutated(example: bytes, rng: random.Random) -> bytes:
    order, stdin = example.split(b"\n", 1)
    if rng.random() < 0.6:
        order = changed_json(order, rng)
    return order + b"\n" + (changed_bytes(stdin, rng) if rng.random() < 0.6 else stdin)


class _Deaf:
    """In the place of stdout."""

    at = 0

    def say(self, reply: "dict[str, Any]") -> None:
        json.dumps(reply)


def read(content: bytes, folder: Path) -> object:
    text, _, stdin = content.partition(b"\n")
    order = receive_on_device.order_in(_in_folder(text.decode("utf-8", "surrogateescape"), folder))
    reading, writing = os.pipe()
    kept = os.dup(0)
    os.write(writing, stdin[:60_000])
    os.close(writing)
    os.dup2(reading, 0)
    try:
        reply = receive_on_device.receive({**order, "idle_s": min(order["idle_s"], 0.2)}, _Deaf())  # type: ignore[arg-type]
    except OSError as error:
        receive_on_device.failure(error, order["path"], order["size"])
        raise
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reading)
        _require_right(folder, order)
    return reply


def _in_folder(text: str, folder: Path) -> str:
    """The same order for a path below the folder, so that a mutated one writes nowhere else."""
    try:
        order = json.loads(text)
        if isinstance(order, dict) and isinstance(order.get("path"), str) and ".." not in order["path"]:
            return json.dumps({**order, "path": f"{folder}/{order['path'].lstrip('/')}"})
    except (ValueError, RecursionError):
        pass
    return text if "/" not in text else "{}"


def _require_right(folder: Path, order: "dict[str, Any]") -> None:
    path = Path(order["path"])
    if path.is_file():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == order["sha256"]
        path.unlink()
