"""Samples that are steps of sequences: a model with recurrent state runs freely, each step from the state that its own last
step left, not from the recorded one (free-running, not teacher-forced).

Judged step by step, from float's recorded state, an error never meets its own consequences: a denoiser in int8 had 36 dB of
every step and lost 3.4 dB of what it put out when it ran.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeq.errors import ConversionFailed
from edgeq.quantize.samples import Array, SamplesLike

Model = Callable[[tuple[Array, ...]], tuple[Array, ...]]


@dataclass(frozen=True)
class State:
    """Positions of an output and of the input that it becomes; `by` says what shows it, in words. `starts` are the samples
    with which a sequence begins, from their stored state. `recorded`: the samples hold the state at their step, not only
    what a sequence begins with. `in_doubt`: they hold other values, so their order may be no sequence.
    """

    output: int
    input: int
    by: str
    starts: frozenset[int]
    recorded: bool
    in_doubt: bool = False


@dataclass(frozen=True)
class Sequences:
    """`samples` in their order; `states` go from step to step. `positions` are the steps that belong to this part: all of
    them are run, and only these are judged, or calibrate.
    """

    samples: SamplesLike
    states: tuple[State, ...]
    positions: tuple[int, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """Steps with which every state begins anew."""
        return tuple(sorted(frozenset.intersection(*(s.starts for s in self.states))))

    @property
    def sequence_numbers(self) -> "npt.NDArray[np.integer]":
        """Of each of the positions, the number of the sequence that it is in."""
        return np.searchsorted(self.starts, self.positions, side="right")


@dataclass(frozen=True)
class SequencePart:
    """`part` with the sequence that it is a part of. `inputs` replace the stored states of each sample of the part where
    these are only what a sequence begins with.
    """

    part: SamplesLike
    sequence: Sequences
    inputs: tuple[dict[int, Array], ...] = ()

    @property
    def count(self) -> int:
        return self.part.count

    def __len__(self) -> int:
        return self.part.count

    @property
    def labels(self) -> "npt.NDArray[np.integer] | None":
        return self.part.labels

    @property
    def truth(self) -> Array | None:
        return self.part.truth

    @property
    def sha256(self) -> str:
        s = self.sequence
        pairs = [(one.output, one.input, sorted(one.starts)) for one in s.states]
        text = repr((self.part.sha256, s.samples.sha256, pairs, s.positions, bool(self.inputs)))
        return hashlib.sha256(text.encode()).hexdigest()

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        arrays = list(self.part[i])
        for k, array in (self.inputs[i] if self.inputs else {}).items():
            arrays[k] = array
        return tuple(arrays)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return (self[i] for i in range(self.count))


def outputs_of(sequence: Sequences, runner: Model) -> Iterator[tuple[Array, ...]]:
    """The outputs at the sequence's positions, each step run from the state that the step before left."""
    wanted = set(sequence.positions)
    last = max(wanted, default=-1)
    for t, (_, outputs) in enumerate(_steps(sequence, runner, last + 1)):
        if t in wanted:
            yield outputs


def with_states_of(sequence: Sequences, runner: Model, parts: Sequence[SequencePart]) -> list[SequencePart]:
    """`parts` with the states that `runner`, float, has at their steps."""
    at: dict[int, dict[int, Array]] = {t: {} for part in parts for t in part.sequence.positions}
    for t, (arrays, _) in enumerate(_steps(sequence, runner, sequence.samples.count)):
        if t in at:
            at[t] = {s.input: np.array(arrays[s.input]) for s in sequence.states}
    return [replace(part, inputs=tuple(at[t] for t in part.sequence.positions)) for part in parts]


def _steps(
    sequence: Sequences, runner: Model, count: int
) -> Iterator[tuple[tuple[Array, ...], tuple[Array, ...]]]:
    outputs: tuple[Array, ...] = ()
    for t in range(count):
        arrays = list(sequence.samples[t])
        for state in sequence.states:
            if t not in state.starts:
                arrays[state.input] = _as_input(outputs[state.output], arrays[state.input])
        outputs = runner(tuple(arrays))
        yield tuple(arrays), outputs


def _as_input(output: Array, stored: Array) -> Array:
    """Runtimes differ in whether they keep an axis of one. Raises ConversionFailed where the sizes differ."""
    if output.size != stored.size:
        raise ConversionFailed(
            f"a state of shape {output.shape} does not fit its input of shape {stored.shape}",
            "name the states that are fed back with --states OUTPUT=INPUT, or --states none",
        )
    return np.asarray(output.reshape(stored.shape), stored.dtype)
