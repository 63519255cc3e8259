"""The agent's own files, which a bad card or somebody in the group changed: read by `status`, `rollback` and the lock."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from edgeq.agent import lock
from edgeq.agent.apps import app_view, history, previous
from edgeq.agent.available import places
from edgeq.agent.commands import discard, remembered, rollback, status, sweep
from edgeq.agent.layout import Root
from edgeq.agent.remembered import needs
from edgeq.agent.results import read_result
from edgeq.errors import EdgeqError
from edgeq.nouns.record import canonical_json
from tests.fuzz.mutations import changed_bytes, changed_json, nested
from tests.fuzz.readers.jobs import examples as job_examples

_OLD, _NEW = "1" * 64, "2" * 64
_FILES = (
    "lock.json",
    "apps/net/history.json",
    f"apps/net/releases/{_OLD}/release.json",
    f"apps/net/releases/{_OLD}/manifest.json",
    f"apps/net/releases/{_NEW}/jobs/ort.json",
    f"samples/{_OLD}/files.json",
    "results/job-1/measurement.json",
)


def examples(folder: Path) -> list[bytes]:
    """The name of the file, a newline, what stands in it."""
    activations = [{"digest": d, "candidate": "ort", "utc": "2025-01-31T12:00:00Z"} for d in (_OLD, _NEW)]
    held = {"token": "t", "who": "ann", "what": "x", "since_utc": "now", "boot_id": "b", "until_ns": 2**60}
    values = (
        {**held, "lent_to": "", "given_up": "", "process": "pid:[4026531836] 12 3456", "before": ""},
        activations,
        {"digest": _OLD, "installed_utc": "2025-01-31T12:00:00Z", "bytes": 7},
        {"schema": 1},
        json.loads(job_examples(folder)[0]),
        ["3" * 64],
        {"after": {"uptime_ns": 1}},
    )
    return [
        f"{name}\n{canonical_json(value).decode()}".encode()
        for name, value in zip(_FILES, values, strict=True)
    ]


def mutated(example: bytes, rng: random.Random) -> bytes:
    name, data = example.split(b"\n", 1)
    kind = rng.random()
    if kind < 0.05:
        return name + b"\n" + nested(rng, "[", "]").encode()
    return name + b"\n" + (changed_bytes(data, rng) if kind < 0.3 else changed_json(data, rng))


def read(content: bytes, folder: Path) -> object:
    name, data = content.split(b"\n", 1)
    mine = folder / "mine"
    mine.mkdir(exist_ok=True)
    (mine / "precious").write_text("mine")
    root = Root(folder / "root")
    for digest in (_OLD, _NEW):
        (root.release("net", digest) / "candidates/ort").mkdir(parents=True)
        (root.release("net", digest) / "jobs").mkdir()
    (root.current("net")).symlink_to(f"releases/{_NEW}/candidates/ort")
    path = root.path / name.decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        lock.holder(root)
        root.lock.unlink(missing_ok=True)
        token = lock.take(root, "ann", "a test").token
        asked = (
            lambda: status.answer(status.Request(), root),
            lambda: (history(root, "net"), previous(root, "net"), app_view(root, "net")),
            lambda: (needs(root), places(root, ["4" * 64])),
            lambda: discard.answer(discard.Request(token, "net", _OLD), root),
            lambda: sweep.answer(sweep.Request(token), root),
            lambda: read_result(root, "job-1"),
            lambda: remembered.answer(remembered.Request("net"), root),
            lambda: rollback.answer(rollback.Request(token, "net"), root),
        )
        refused = [error for each in asked if (error := _refusal(each)) is not None]
        if len(refused) > 2:  # of a release without files and a result there is none
            raise refused[0]
        return len(refused)
    finally:
        assert (mine / "precious").read_text() == "mine"
        assert root.release("net", _NEW).is_dir(), "what is live is gone"
        shutil.rmtree(root.path)


def _refusal(ask: Callable[[], object]) -> "EdgeqError | None":
    try:
        ask()
    except EdgeqError as error:
        return error
    return None
