"""What `edgeq doctor` finds."""

from dataclasses import dataclass
from typing import Optional

from .record import Record

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding(Record):
    """`level`: ok, note (works, could be better) or problem (keeps edgeq from working); a remedy for the last two."""

    where: str
    level: str
    what: str
    remedy: Optional[str] = None


@dataclass(frozen=True)
class Diagnosis(Record):
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        return 1 if any(f.level == PROBLEM for f in self.findings) else 0
