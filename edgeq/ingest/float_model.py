"""The float model of a source before any conversion: it runs samples, and exposes its first layers.

Checks of the samples ask it before an export or a conversion takes its minutes. Each kind of source makes one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeq.nouns.tensor import TensorSpec

THREADS = 1  # more would wait for each other on a busy machine, for runs this short

Arrays = tuple[np.ndarray, ...]
PerChannel = NDArray[np.float64]


@dataclass(frozen=True)
class FirstLayer:
    """What the first layer with weights gives, its bias added and its activation not applied: `mean` and `std` [channels]
    over samples and positions, and its `bias` [channels].
    """

    mean: PerChannel
    std: PerChannel
    bias: PerChannel


@dataclass(frozen=True)
class FirstNorm:
    """What enters the first batch normalization, `mean` and `std` [channels], and what entered it in training."""

    mean: PerChannel
    std: PerChannel
    trained_mean: PerChannel
    trained_std: PerChannel


@dataclass(frozen=True)
class FirstLayers:
    """Each is None where the model has none, or none that the input reaches directly."""

    layer: FirstLayer | None = None
    norm: FirstNorm | None = None


@dataclass(frozen=True)
class FloatModel:
    """`answers` gives the outputs of each sample, its batch axis kept, `first_layers` what the first layers give on all of
    them together. A sample is one array per input, of the input's full shape and type. `quantized`: the source is quantized.
    `file` is the .onnx or .tflite that answers; where there is none, `macs` counts the multiply-adds of one sample.
    All raise ConversionFailed where the runtime fails.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[str, ...]
    answers: Callable[[Sequence[Arrays]], list[Arrays]]
    first_layers: Callable[[Sequence[Arrays]], FirstLayers]
    quantized: bool = False
    file: Path | None = None
    macs: Callable[[Arrays], int] | None = None


def of_channels(values: Sequence[np.ndarray], axis: int) -> tuple[PerChannel, PerChannel]:
    """Mean and standard deviation of each channel over all of `values`, of which one at a time is held in double precision."""
    rows = [np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1) for v in values]
    count = sum(r.shape[1] for r in rows)
    mean = sum(r.sum(axis=1, dtype=np.float64) for r in rows) / count
    squares = sum(np.square(r - mean[:, None]).sum(axis=1) for r in rows)
    return mean, np.sqrt(squares / count)


def is_informative(mean: np.ndarray, variance: np.ndarray) -> bool:
    """Whether statistics of a batch normalization were found in training: before it they are 0 and 1."""
    return not (np.all(mean == 0) and np.all(variance == 1))
