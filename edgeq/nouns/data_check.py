"""What was found out about samples before anything was made of a model, and what `edgeq data` shows of them."""

from dataclasses import dataclass
from typing import Optional

from .record import Record
from .shown import Shown
from .tensor import Preprocessing


@dataclass(frozen=True)
class DataFinding(Record):
    """A likely fault of the samples, or of their labels. `kind` is its name for programs, `text` for people, `remedy` what
    to do. `certain`: they are refused; else it is a warning.
    """

    kind: str
    text: str
    remedy: str
    certain: bool = False

    def __str__(self) -> str:
        return f"{self.text}: {self.remedy}" if self.remedy else self.text


@dataclass(frozen=True)
class ChannelSeen(Record):
    """The values of one channel of an input over the samples that were looked at."""

    minimum: float
    maximum: float
    mean: float
    std: float


@dataclass(frozen=True)
class InputSeen(Record):
    """One input of the model as the samples fill it. `layout` is "NCHW" or "NHWC" for images, empty otherwise; `channels` has one entry
    for inputs without channels.
    """

    name: str
    dtype: str
    shape: tuple[Optional[int], ...]
    layout: str
    channels: tuple[ChannelSeen, ...]


@dataclass(frozen=True)
class ClassCount(Record):
    """How often a class is float's answer, and a label (None without labels), on the samples that were looked at."""

    number: int
    answers: int
    labels: Optional[int] = None


@dataclass(frozen=True)
class Confusion(Record):
    """Samples labelled `label` that float takes for `answer`."""

    label: int
    answer: int
    count: int


@dataclass(frozen=True)
class AnswersSeen(Record):
    """Float's answers on `samples` samples, the most frequent first. `right` of them have that label, None without labels."""

    samples: int
    classes: tuple[ClassCount, ...]
    right: Optional[int] = None
    confusions: tuple[Confusion, ...] = ()


@dataclass(frozen=True, repr=False)
class DataSeen(Shown, Record):
    """What a model sees of `source`: `samples` are there, of which `looked_at` were looked at. `labels` in words, empty
    without; `answers` is None where no output holds class scores. `sheet` is the file of the contact sheet.
    """

    model: str
    source: str
    samples: int
    looked_at: int
    preprocessing: Optional[Preprocessing]
    inputs: tuple[InputSeen, ...]
    labels: str = ""
    answers: Optional[AnswersSeen] = None
    findings: tuple[DataFinding, ...] = ()
    notes: tuple[str, ...] = ()
    sheet: Optional[str] = None

    @property
    def refused(self) -> bool:
        return any(finding.certain for finding in self.findings)

    def in_short(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings else "nothing found"
        return f"{self.source}, {self.samples} samples for {self.model}: {found}" + (
            ", refused" if self.refused else ""
        )
