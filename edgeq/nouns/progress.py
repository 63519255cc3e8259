"""Events of a running command: progress, notes, the route to a device. The command line prints them, a program may ignore them."""

from dataclasses import dataclass, replace
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Progress(Record):
    """`done` of `total` in `unit` ("B", "s", "samples" ...; "" where `done` is a share); total None: how long is not known.
    `left_s`: the seconds that the step still takes, and `all_left_s` those of all that are planned, as estimated; None where
    that cannot be told. `detail`: figures that change while it goes on.
    """

    step: str
    done: float
    total: Optional[float]
    unit: str
    left_s: Optional[float] = None
    all_left_s: Optional[float] = None
    detail: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """A step that is expected, `of` a candidate ("" for what is of none), and the `seconds` that it is counted to take. `forks`: of how
    many questions that are still open it depends on the answers, each as likely as not.
    """

    of: str
    name: str
    seconds: float
    forks: int = 0

    @property
    def expected_s(self) -> float:
        return self.seconds * 0.5**self.forks

    def after(self, begun: "PlannedStep") -> "PlannedStep":
        """Once `begun`, a step before it, has begun, which answers the questions that both depend on."""
        return replace(self, forks=max(self.forks - begun.forks, 0))


@dataclass(frozen=True)
class Started(Record):
    """Work on `what` begins: a conversion that is not in the cache, a delivery to a device."""

    what: str


@dataclass(frozen=True)
class Note(Record):
    """One sentence that a user should read: a fallback taken, a thing not done and why. `detail`: only with -v."""

    text: str
    detail: bool = False


@dataclass(frozen=True)
class Route(Record):
    """How the device that people call `device` is reached: each login on the way, and where its settings come from."""

    device: str
    text: str
