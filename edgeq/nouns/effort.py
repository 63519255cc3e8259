"""What a conversion took at its --effort, and what the next one would have taken and won."""

from dataclasses import dataclass
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class NextEffort(Record):
    """`cpu_seconds` are estimated by counted work, those of everything, not of what is added. `gain_db`: by how much static int8
    came closer to float with it on the networks of the benchmark, in the median; None where that was not measured.
    """

    effort: str
    cpu_seconds: float
    gain_db: Optional[float] = None


@dataclass(frozen=True)
class EffortSpent(Record):
    """By all candidates of a conversion. `following`: None where no other effort changes any of them, or there is none above."""

    effort: str
    cpu_seconds: float
    following: Optional[NextEffort] = None
