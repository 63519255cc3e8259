"""Some of the samples with float's answers to them: what the checks look at. Bounded in time and memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeq.ingest.float_model import Arrays, FloatModel
from edgeq.ingest.samples import Samples
from edgeq.quantize.accuracy import Scored, scored_by

SAMPLES = 64
_BYTES = 128 << 20
_SEED = 0
_AT_ONCE = 16
_READING = 0.4  # of the time; the rest is the model's


@dataclass(frozen=True)
class Clock:
    """Ends at `end` by time.monotonic()."""

    end: float

    @staticmethod
    def of(seconds: float) -> "Clock":
        return Clock(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        return max(0.0, self.end - time.monotonic())

    def part(self, share: float) -> "Clock":
        """A clock for a share of what is left."""
        return Clock.of(share * self.left)


@dataclass
class Evidence:
    """`positions` of `samples` in an order of which every beginning is a fair share of the whole, `arrays` read of them so
    far, and `outputs` of the model for these. More are read when a check asks for them.
    """

    samples: Samples
    model: FloatModel
    positions: tuple[int, ...]
    arrays: list[Arrays] = field(default_factory=list)
    outputs: list[Arrays] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Samples with answers."""
        return len(self.outputs)

    @property
    def different(self) -> int:
        """Samples with answers that differ from each other in any byte."""
        keys = self.samples.keys
        return len({keys[p] for p in self.positions[: self.count]})

    def labels(self, numbers: "np.ndarray | None") -> "np.ndarray | None":
        """Of the samples with answers, by the class numbers of all."""
        return None if numbers is None else numbers[list(self.positions[: self.count])]

    def rows(self) -> tuple[np.ndarray, ...]:
        """One array [samples, ...] per output, without its own batch of one; none where shapes differ."""
        return stacked(self.outputs)

    def scored(self, numbers: "np.ndarray | None") -> Scored | None:
        """How answers are read from the outputs and compared with class numbers; None where they cannot be."""
        found = self.labels(numbers)
        return scored_by(self.rows(), found) if found is not None and self.count > 1 else None

    def read_until(self, count: int, clock: Clock) -> None:
        """Reads and answers samples until there are `count`, or the time is over; one at least."""
        while self.count < min(count, len(self.positions)) and (clock.left or not self.count):
            wanted = self.positions[len(self.arrays) : min(count, len(self.arrays) + _AT_ONCE)]
            fresh = self._read(wanted, clock) if wanted else []
            self.arrays += fresh
            pending = self.arrays[self.count :]
            step = pending if self.count else pending[:1]  # the first tells how long one takes
            started = time.monotonic()
            self.outputs += self.model.answers(step)
            took = (time.monotonic() - started) / max(1, len(step))
            if took * _AT_ONCE > clock.left and self.count:
                count = min(count, self.count + max(1, int(clock.left / max(took, 1e-6))))
            if self._bytes() > _BYTES:
                return

    def _read(self, wanted: tuple[int, ...], clock: Clock) -> list[Arrays]:
        found: list[Arrays] = []
        part = clock.part(_READING)
        for position in wanted:
            if found and not part.left:
                break
            found.append(self.samples[position])
        return found

    def _bytes(self) -> int:
        return sum(a.nbytes for sample in (*self.arrays, *self.outputs) for a in sample)


def begin(samples: Samples, model: FloatModel) -> Evidence:
    order = np.random.default_rng(_SEED).permutation(samples.count)
    return Evidence(samples, model, tuple(int(i) for i in order))


def stacked(outputs: list[Arrays]) -> tuple[np.ndarray, ...]:
    """[samples, ...] per output; of outputs whose shape changes, none."""
    found = []
    for parts in zip(*outputs, strict=True):
        if len({p.shape for p in parts}) > 1:
            return ()
        whole = np.stack(parts)
        found.append(whole[:, 0] if whole.ndim > 2 and whole.shape[1] == 1 else whole)
    return tuple(found)


Transform = Callable[[np.ndarray], np.ndarray]
