"""Deploys models of tests/models/zoo.py to this machine as a user does, and reads what edgeq said about it.

One thread, `edgeq deploy ... --json` in a process of its own. A deployment that fails is a result too.
"""

import json
import math
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.device import Facts
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import Skipped
from edgeq.nouns.report import Choice, DeviceCheck, RaceReport
from tests.end_to_end.command_line import edgeq
from tests.models import zoo

_WORKED = (0, 3)  # 3: live, but its speed could not be compared


@dataclass(frozen=True)
class Deployed:
    """What edgeq's JSON says, as nouns. `source` is the model's file and format."""

    name: str
    source: str
    classifier: bool
    seconds: float
    facts: Facts
    manifest: Manifest
    fidelity: tuple[Fidelity, ...]
    skipped: tuple[Skipped, ...]
    race: RaceReport
    choice: Choice
    checks: tuple[DeviceCheck, ...]

    def fidelity_of(self, candidate: str) -> Fidelity:
        return next(f for f in self.fidelity if f.candidate == candidate)

    def file_bytes(self, candidate: Candidate) -> int:
        return next(a.size for a in self.manifest.artifacts if a.path == candidate.model)

    def checked_bytes(self, candidate: str) -> int:
        """Of the check samples that the candidate was run on; the agent's child maps them."""
        count = max((c.samples for c in self.checks if c.candidate == candidate), default=0)
        return count * sum(math.prod(i.shape) * np.dtype(i.dtype).itemsize for i in self.manifest.inputs)

    @property
    def floats(self) -> tuple[str, ...]:
        return tuple(c.id for c in self.manifest.candidates if c.recipe == "float")


@dataclass(frozen=True)
class Failed:
    """`words` are edgeq's own."""

    name: str
    exit_code: int
    words: str


def deploy_each(
    names: Sequence[str], data: Path, home: Path, seconds: float, *words: str
) -> Iterator[Deployed | Failed]:
    """Each of `names` in turn; `seconds` bounds its race, `words` are put behind the model's own on the command line."""
    for name in names:
        folder = home / "models" / name
        entry = zoo.prepare(name, data, folder)
        began = time.monotonic()
        try:
            done = edgeq(
                folder,
                *("deploy", *entry.words, "--threads", "1", "--seconds", str(seconds)),
                *("--measure-again", "--json", *words),
                timeout=900 + 20 * seconds,
            )
        except subprocess.TimeoutExpired as error:
            yield Failed(name, -1, str(error))
            continue
        if done.returncode not in _WORKED:
            yield Failed(name, done.returncode, (done.stderr or done.stdout).strip())
            continue
        yield _read(entry, json.loads(done.stdout), time.monotonic() - began)


def _read(entry: zoo.Entry, document: dict[str, Any], seconds: float) -> Deployed:
    conversion = document["conversion"]
    model = conversion["model"]
    return Deployed(
        name=entry.name,
        source=f"{Path(model['source']).name} ({model['source_format']})",
        classifier=entry.classifier,
        seconds=seconds,
        facts=Facts.from_dict(document["device"]),
        manifest=Manifest.from_dict(conversion["manifest"]),
        fidelity=tuple(Fidelity.from_dict(f) for f in conversion["fidelity"]),
        skipped=tuple(Skipped.from_dict(s) for s in conversion["plan"]["skipped"]),
        race=RaceReport.from_dict(document["race"]),
        choice=Choice.from_dict(document["choice"]),
        checks=tuple(DeviceCheck.from_dict(c) for c in document["checks"]),
    )
