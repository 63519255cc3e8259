"""Outputs on an emulated CPU, compared with this machine's and with float's."""

from dataclasses import dataclass
from typing import Optional

from .fidelity import Accuracy, Agreement, OutputError
from .record import Record
from .report import DeviceCheck
from .shown import Shown


@dataclass(frozen=True)
class Emulation(Record):
    """Where candidates ran: `cpu` is QEMU's name, `emulator` its program and version, `system` whose Python it was."""

    target: str
    cpu: str
    emulator: str
    system: str


@dataclass(frozen=True)
class Closeness(Record):
    """How far answers are from a reference's, on `samples` of them; the last two where they are class scores."""

    samples: int
    outputs: tuple[OutputError, ...]
    agreement: Optional[Agreement] = None
    accuracy: Optional[Accuracy] = None


@dataclass(frozen=True)
class Verified(Record):
    """One candidate on an emulated CPU ("there") and on this machine ("here").

    `moved` compares there with here, `here` and `there` compare with float, all three on the `samples` of `offered` that ran
    there; `limited_by` says why not all. `expected` is what the gate judges: what the candidate costs here, on
    every sample, with what changes from here to there. `device_check` is what a deployment from here to such a device would
    find. All are None where it did not answer; `why_failed` or `not_run` says why: the latter where that is no fault of
    the candidate.
    """

    candidate: str
    runtime_version: Optional[str] = None
    samples: int = 0
    offered: int = 0
    limited_by: Optional[str] = None
    same_bits: bool = False
    moved: Optional[Closeness] = None
    here: Optional[Closeness] = None
    there: Optional[Closeness] = None
    expected: Optional[Closeness] = None
    device_check: Optional[DeviceCheck] = None
    gate: str = ""
    passed: bool = False
    why_failed: Optional[str] = None
    not_run: Optional[str] = None
    seconds: float = 0.0


@dataclass(frozen=True, repr=False)
class Verification(Shown, Record):
    """A bundle on an emulated CPU. `samples_from`: where the samples come from, in words."""

    name: str
    digest: str
    emulation: Emulation
    samples_from: str
    candidates: tuple[Verified, ...]

    @property
    def passed(self) -> bool:
        """Whether something ran there, and nothing that did failed."""
        failed = any(v.why_failed for v in self.candidates)
        return not failed and any(v.passed for v in self.candidates)

    def in_short(self) -> str:
        passed = sum(v.passed for v in self.candidates)
        verdict = "passed" if self.passed else "not passed"
        of = f"{passed} of {len(self.candidates)} candidates"
        return f"{self.name} = {self.digest[:7]} on {self.emulation.target}: {verdict}, {of}"
