"""Samples in the integer types that a .tflite file takes: converters make int32 of a model's int64."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeq.quantize.samples_like import Array, SamplesLike

_TYPES: dict[int, Any] = {2: np.int32, 4: np.int64}  # of the schema's TensorType


@dataclass(frozen=True)
class FedAsTaken:
    """The indices of a sample, in the types of `model`'s inputs (the flatbuffer's object model); all else as it is."""

    samples: SamplesLike
    model: Any
    labels: None = None
    truth: None = None

    @property
    def count(self) -> int:
        return self.samples.count

    @property
    def sha256(self) -> str:
        return self.samples.sha256

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        graph = self.model.subgraphs[0]
        types = [_TYPES.get(graph.tensors[int(t)].type) for t in graph.inputs]
        return tuple(
            array if kind is None or not np.issubdtype(array.dtype, np.integer) else array.astype(kind)
            for array, kind in zip(self.samples[i], types, strict=True)
        )
