"""What `edgeq doctor` finds."""

from dataclasses import dataclass
from typing import Optional

from .record import Record
from .shown import Shown

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding(Record):
    """`level`: ok, note (works, could be better) or problem (keeps edgeq from working); a remedy for the last two."""

    where: str
    level: str
    what: str
    remedy: Optional[str] = None


def ok(where: str, what: str) -> Finding:
    return Finding(where, OK, what)


def note(where: str, what: str, remedy: Optional[str] = None) -> Finding:
    return Finding(where, NOTE, what, remedy)


def problem(where: str, what: str, remedy: Optional[str] = None) -> Finding:
    return Finding(where, PROBLEM, what, remedy)


@dataclass(frozen=True, repr=False)
class Diagnosis(Shown, Record):
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        return 1 if any(f.level == PROBLEM for f in self.findings) else 0

    def in_short(self) -> str:
        counts = {level: sum(f.level == level for f in self.findings) for level in (PROBLEM, NOTE, OK)}
        return ", ".join(f"{count} {level}" for level, count in counts.items())
