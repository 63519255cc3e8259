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
    """By a conversion, from opening the model to the bundle: `seconds` on the wall, `cpu_seconds` of all cores and processes. `following`
    is of the same; None where no other effort changes a candidate, there is none above, or candidates were made before.
    """

    effort: str
    seconds: float
    cpu_seconds: float
    following: Optional[NextEffort] = None
