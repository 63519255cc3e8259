"""What `edgeq export` wrote, or would write."""

from dataclasses import dataclass
from typing import Optional

from .bundle import Artifact, Candidate
from .fidelity import Fidelity
from .plan import Skipped
from .record import Record
from .shown import Shown


@dataclass(frozen=True, repr=False)
class Exported(Shown, Record):
    """`path` is the model file or the folder; the paths of `files` are relative to the current folder or absolute, as `path` is.
    `digest` is that of the bundle that the candidate is from, `others` the candidates that could have been taken.
    `fidelity`: how close the candidate is to float, None where the bundle does not say. `left_out`: examples, and
    files of the bundle, that were not written and why. `written` is False on a dry run.
    """

    path: str
    target: str
    digest: str
    candidate: Candidate
    others: tuple[str, ...]
    files: tuple[Artifact, ...]
    fidelity: Optional[Fidelity]
    left_out: tuple[Skipped, ...] = ()
    written: bool = True

    def in_short(self) -> str:
        return f"{self.candidate.id} for {self.target}: {self.path}" + (
            "" if self.written else " (dry run: not written)"
        )
