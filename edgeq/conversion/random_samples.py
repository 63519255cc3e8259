"""Stand-in samples for a model that came without data: reproducible noise, so that it is at least run and compared.

What is found on them says that the candidate computes the same function, not how accurate it is; whoever shows the
result says so.
"""

import numpy as np

from edgeq.nouns.record import digest_of
from edgeq.nouns.tensor import TensorSpec

COUNT = 16


class RandomSamples:
    """Standard normal floats and zeros for everything else; open dimensions are 1."""

    labels = None
    truth = None
    count = COUNT

    def __init__(self, inputs: tuple[TensorSpec, ...]) -> None:
        self._inputs = inputs
        self.sha256 = digest_of(["random", *(spec.to_dict() for spec in inputs)])

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        random = np.random.default_rng(i)
        return tuple(_draw(spec, random) for spec in self._inputs)


def _draw(spec: TensorSpec, random: np.random.Generator) -> np.ndarray:
    shape = tuple(1 if d is None else d for d in spec.shape)
    dtype = np.dtype(spec.dtype)
    values = random.standard_normal(shape) if dtype.kind == "f" else np.zeros(shape)
    return values.astype(dtype)
