"""A training that was stopped, next to the file that it writes: it goes on where it was, bit for bit."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from edgeq.errors import EdgeqError
from edgeq.nouns.training import Evaluation
from edgeq.train.training import State
from edgeq.train.tuned_file import load_plain, save_atomically

_FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """At `path`; `key` names all that the steps depend on. One of another key is not read."""

    path: Path
    key: str

    def read(self) -> State | None:
        """None where there is none, or only one of another training."""
        found = load_plain(self.path) if self.path.is_file() else None
        if not isinstance(found, Mapping) or (found.get("format"), found.get("key")) != (_FORMAT, self.key):
            return None
        evaluations = tuple(Evaluation(**each) for each in found["evaluations"])
        return State(found["step"], found["network"], found["optimizer"], found["best"], evaluations)

    def write(self, state: State) -> None:
        """Raises EdgeqError where it cannot be written."""
        fields = {each.name: getattr(state, each.name) for each in dataclasses.fields(state)}
        evaluations = [each.to_dict() for each in state.evaluations]
        save_atomically(fields | {"format": _FORMAT, "key": self.key, "evaluations": evaluations}, self.path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def resumed(kept: Checkpoint | None, note: Callable[[str], None]) -> State | None:
    """The state that a training resumes from, with its step as a note; None where it begins."""
    begun = None if kept is None else kept.read()
    if begun is not None:
        note(f"goes on from step {begun.step:,}, where it was interrupted")
    elif kept is not None and kept.path.exists():
        note(f"{kept.path} is of a training with other options or samples: it begins anew")
    return begun


def keeper(kept: Checkpoint | None, note: Callable[[str], None]) -> Callable[[State], None]:
    """A state that cannot be written is no reason to end a training."""

    def keep(state: State) -> None:
        if kept is None:
            return
        try:
            kept.write(state)
        except EdgeqError as error:
            note(f"{error.what}: an interrupted training would begin anew")

    return keep


def step_of(path: Path) -> int:
    """At which the training of the checkpoint at `path` goes on; 0 where there is none."""
    found = load_plain(path) if path.is_file() else None
    step = found.get("step") if isinstance(found, Mapping) else None
    return step if isinstance(step, int) else 0
