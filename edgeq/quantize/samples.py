"""What quantization needs of a set of samples, however they were read."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


class SamplesLike(Protocol):
    """`samples[i]` holds one array per model input, in input order and with the input's full shape (batch included).

    `labels` is an integer array of shape [count], or None; `truth` is whatever came as labels, its first axis the
    samples, for a metric of the user's own; `sha256` names the samples by content.
    """

    @property
    def count(self) -> int: ...

    @property
    def labels(self) -> "npt.NDArray[np.integer] | None": ...

    @property
    def truth(self) -> Array | None: ...

    @property
    def sha256(self) -> str: ...

    def __getitem__(self, i: int) -> tuple[Array, ...]: ...
