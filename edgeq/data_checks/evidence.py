"""The samples that the checks look at, with float's outputs. Bounded in work and memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from edgeq.data_checks.work import Cost, Work
from edgeq.ingest.float_model import Arrays, FloatModel
from edgeq.ingest.samples import Samples
from edgeq.quantize.evaluate.accuracy import Scored, scored_by

SAMPLES = 64
_BYTES = 128 << 20
_SEED = 0
_AT_ONCE = 16


@dataclass
class Evidence:
    """`positions` of `samples` in an order of which every beginning is a fair share of the whole, `arrays` read of them so
    far, and `outputs` of the model for these. More are read when a check asks for them, as long as there is `work` left.
    """

    samples: Samples
    model: FloatModel
    positions: tuple[int, ...]
    cost: Cost
    work: Work
    arrays: list[Arrays] = field(default_factory=list)
    outputs: list[Arrays] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Samples with outputs."""
        return len(self.outputs)

    @property
    def different(self) -> int:
        """Samples with outputs, duplicates counted once."""
        keys = self.samples.keys
        return len({keys[p] for p in self.positions[: self.count]})

    def labels(self, numbers: "np.ndarray | None") -> "np.ndarray | None":
        """Of the samples with outputs, by the class numbers of all."""
        return None if numbers is None else numbers[list(self.positions[: self.count])]

    def rows(self) -> tuple[np.ndarray, ...]:
        """One array [samples, ...] per output, without its own batch of one; none where shapes differ."""
        return stacked(self.outputs)

    def scored(self, numbers: "np.ndarray | None") -> Scored | None:
        """How predictions are computed from the outputs and compared with class numbers; None where they cannot be."""
        found = self.labels(numbers)
        return scored_by(self.rows(), found) if found is not None and self.count > 1 else None

    def read_until(self, count: int, work: Work | None = None) -> None:
        """Reads and runs samples until there are `count`, or the work is done; one at least."""
        work = work or self.work
        while self.count < min(count, len(self.positions)) and (work.left or not self.count):
            within = max(1, int(work.left / (self.cost.read + self.cost.run)))
            fresh = self.positions[self.count : min(count, self.count + within, self.count + _AT_ONCE)]
            work.spend(self.cost.read * len(fresh))
            self.arrays += [self.samples[position] for position in fresh]
            self.outputs += self.answers(self.arrays[self.count :], work)
            if self._bytes() > _BYTES:
                return

    def answers(self, samples: list[Arrays], work: Work | None = None) -> list[Arrays]:
        """The model's, of samples that may have been changed."""
        (work or self.work).spend(self.cost.run * len(samples))
        return self.model.answers(samples)

    def _bytes(self) -> int:
        return sum(a.nbytes for sample in (*self.arrays, *self.outputs) for a in sample)


def begin(samples: Samples, model: FloatModel, cost: Cost, work: Work) -> Evidence:
    order = np.random.default_rng(_SEED).permutation(samples.count)
    return Evidence(samples, model, tuple(int(i) for i in order), cost, work)


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
