"""What the commands return, where that is made of several data classes; edgeq/report/formats/text.py prints each."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgeq.errors import SPEED_NOT_COMPARED, ModelCrashed

from .bundle import Bundle
from .data import DataUse
from .delivery import Delivery
from .device import Facts
from .explanation import Explanation
from .fidelity import BetweenRuntimes, Fidelity
from .measurement import Measurement
from .model import Model
from .plan import Plan
from .record import Record, plain
from .release import App, DeviceStatus
from .report import Choice, Comparison, DeviceCheck, LiveFigures, RaceReport, StoredRow
from .shown import Shown
from .tradeoff import Tradeoff
from .training import Training


@dataclass(frozen=True, repr=False)
class Conversion(Shown, os.PathLike[str]):
    """A bundle on the host with what is known of it; accepted wherever the path of a bundle is. `reused`: the same input was
    converted before. `tradeoff` where --recipe auto or a limit was asked for. `model`, `plan` and `data` are None in a bundle that another tool wrote.
    """

    path: Path
    bundle: Bundle
    model: Optional[Model]
    plan: Optional[Plan]
    fidelity: tuple[Fidelity, ...]
    seconds: float
    reused: bool
    data: Optional[DataUse] = None
    between_runtimes: Optional[BetweenRuntimes] = None
    tradeoff: Optional[Tradeoff] = None

    def __fspath__(self) -> str:
        return str(self.path)

    def to_dict(self) -> dict[str, object]:
        return {
            "path": str(self.path),
            "digest": self.bundle.digest,
            "manifest": self.bundle.manifest.to_dict(),
            "model": plain(self.model),
            "plan": plain(self.plan),
            "data": plain(self.data),
            "fidelity": [f.to_dict() for f in self.fidelity],
            "between_runtimes": plain(self.between_runtimes),
            "tradeoff": plain(self.tradeoff),
            "seconds": self.seconds,
            "reused": self.reused,
        }

    def in_short(self) -> str:
        manifest = self.bundle.manifest
        candidates = ", ".join(c.id for c in manifest.candidates)
        return f"{manifest.name} = {self.bundle.digest[:7]} for {manifest.target}: {candidates}"


@dataclass(frozen=True, repr=False)
class Deployment(Shown):
    """`app` is what lives on the device now, `load_lines` Python that runs it there. From `previous` on everything is empty
    where the same release was live already, and on a dry run.
    """

    conversion: Conversion
    facts: Facts
    app: Optional[App]
    changed: bool
    previous: Optional[str] = None
    delivery: Optional[Delivery] = None
    measurement: Optional[Measurement] = None
    race: Optional[RaceReport] = None
    checks: tuple[DeviceCheck, ...] = ()
    choice: Optional[Choice] = None
    load_lines: tuple[str, ...] = ()
    tradeoff: Optional[Tradeoff] = None

    @property
    def exit_code(self) -> int:
        """SPEED_NOT_COMPARED where what was deployed is live and its speed could not be compared, now or when it went
        live; else 0.
        """
        return SPEED_NOT_COMPARED if self.is_live and self.app and self.app.not_compared else 0

    @property
    def is_live(self) -> bool:
        return self.app is not None and self.app.live == self.conversion.bundle.digest

    @property
    def unchanged(self) -> bool:
        """The same release was live already, so nothing was sent."""
        return not self.changed and self.is_live

    def to_dict(self) -> dict[str, object]:
        return {
            "conversion": self.conversion.to_dict(),
            "device": self.facts.to_dict(),
            "app": plain(self.app),
            "changed": self.changed,
            "previous": self.previous,
            "delivery": plain(self.delivery),
            "race": plain(self.race),
            "checks": [c.to_dict() for c in self.checks],
            "choice": plain(self.choice),
            "tradeoff": plain(self.tradeoff),
            "measurement": self.measurement.job.id if self.measurement else None,
            "load_lines": list(self.load_lines),
            "exit_code": self.exit_code,
        }

    def in_short(self) -> str:
        if self.app is None or not (self.changed or self.is_live):
            return f"{self.conversion.in_short()} (dry run: nothing was changed)"
        return self.app.in_short() + ("" if self.changed else " (was live already)")


@dataclass(frozen=True, repr=False)
class Finetuned(Shown):
    """The weights at `path`, which `deploy` takes as `command` says."""

    path: Path
    model: str
    target: str
    training: Training
    command: str

    @property
    def exit_code(self) -> int:
        """130 where Ctrl-C ended the training; the best that it had is written."""
        return 130 if self.training.interrupted else 0

    def to_dict(self) -> dict[str, object]:
        return {
            "path": str(self.path),
            "model": self.model,
            "target": self.target,
            "training": self.training.to_dict(),
            "command": self.command,
            "exit_code": self.exit_code,
        }

    def in_short(self) -> str:
        best = self.training.best
        assert best is not None
        score = "" if best.score is None else f", {self.training.scored_by} {best.score:.1f} %"
        return f"{self.path}: {self.model} for {self.target}, loss {best.loss:.3g}{score}"


@dataclass(frozen=True, repr=False)
class Benched(Shown):
    """One race per live model, or one of all bundles."""

    measurements: tuple[Measurement, ...]
    reports: tuple[RaceReport, ...]

    @property
    def exit_code(self) -> int:
        """That of ModelCrashed where no candidate of a model or bundle completed its run."""
        ran = all(any(run.state == "ok" for run in m.runs) for m in self.measurements)
        return 0 if ran else ModelCrashed.exit_code

    def to_dict(self) -> dict[str, object]:
        return {
            "races": [r.to_dict() for r in self.reports],
            "measurements": [m.job.id for m in self.measurements],
        }

    def in_short(self) -> str:
        return ", ".join(f"{r.app} on {r.device}: {len(r.rows)} measured" for r in self.reports)


@dataclass(frozen=True, repr=False)
class Explained(Shown, Record):
    """`refused` is the reason why the gate failed, None where it holds."""

    explanations: tuple[Explanation, ...]
    refused: Optional[str] = None

    def in_short(self) -> str:
        candidates = ", ".join(f"{e.candidate} ({len(e.layers)} layers)" for e in self.explanations)
        return candidates + (f"; refused: {self.refused}" if self.refused else "")


@dataclass(frozen=True, repr=False)
class Reported(Shown, Record):
    """Rows of the store, or the measurements that were asked for, or their comparisons with the first. `tradeoffs`: of each measurement
    what decided by it, None where there were no limits and nothing was chosen by --recipe auto.
    """

    rows: tuple[StoredRow, ...] = ()
    races: tuple[RaceReport, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    fetched: int = 0
    tradeoffs: tuple[Optional[Tradeoff], ...] = ()

    def in_short(self) -> str:
        number = len(self.rows) or len(self.comparisons) or len(self.races)
        return f"{number} {'comparisons' if self.comparisons else 'measurements'}"


@dataclass(frozen=True, repr=False)
class DeviceReport(Shown, Record):
    """A device and what edgeq has there; `status` is None where edgeq has never been. `figures` has an entry for each
    name that is live. `code` is a program that runs one of them there, where that was asked for.
    """

    facts: Facts
    status: Optional[DeviceStatus]
    figures: tuple[LiveFigures, ...] = ()
    code: Optional[str] = None

    def in_short(self) -> str:
        live = [app.in_short() for app in self.status.apps] if self.status else []
        return f"{self.facts.user}@{self.facts.hostname}: {', '.join(live) or 'nothing live'}"
