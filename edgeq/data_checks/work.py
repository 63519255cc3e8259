"""How many samples the checks run: from the sizes of model and samples, so that a busy machine checks the same samples."""

import time
from dataclasses import dataclass
from math import prod

from edgeq.graphs.macs import macs_of_file
from edgeq.ingest.float_model import Arrays, FloatModel
from edgeq.ingest.samples import Samples
from edgeq.ingest.stored import Stored

SECONDS = 3.0
LONGEST = 20.0  # by the clock: a last resort, for models whose work is not in convolutions and products
# Seconds of one core with 256-bit vectors. Six networks of images took 0.4e-11 to 6e-11 per multiply-add.
_MULTIPLY_ADD = 4e-11
_WEIGHT_BYTE = 1e-10  # read once in each run
_RUN = 2e-4
_ARRAY_BYTE = 2e-9
_PIXEL_BYTE = 1e-8  # decoded, resized and scaled
_FROM_DISK = 5e-4
_FILE = 5e-3  # in a process of its own


@dataclass
class Work:
    """`left` is in seconds of one processor core, as estimated; `end`, by time.monotonic(), ends it whatever is left. A part's
    work is the whole's too.
    """

    seconds: float
    end: float
    whole: "Work | None" = None

    @staticmethod
    def of(seconds: float = SECONDS, longest: float = LONGEST) -> "Work":
        return Work(seconds, time.monotonic() + longest)

    @property
    def left(self) -> float:
        return max(0.0, self.seconds) if time.monotonic() < self.end else 0.0

    def part(self, share: float) -> "Work":
        return Work(share * self.left, self.end, self)

    def spend(self, seconds: float) -> None:
        self.seconds -= seconds
        if self.whole is not None:
            self.whole.spend(seconds)


@dataclass(frozen=True)
class Cost:
    """Estimated seconds of one core to `read` a sample, and to `run` the float model on it."""

    read: float
    run: float


def cost_of(samples: Samples, model: FloatModel) -> Cost:
    """By the first sample. Raises DataRefused where it does not fit."""
    first = samples[0]
    return Cost(_reading(samples.stored, first), _running(model, first))


def _reading(stored: Stored, sample: Arrays) -> float:
    size = sum(array.nbytes for array in sample)
    if stored.arrays is not None:
        return _ARRAY_BYTE * size
    return (_FILE if stored.files else _FROM_DISK) + (_PIXEL_BYTE if stored.images else _ARRAY_BYTE) * size


def _running(model: FloatModel, sample: Arrays) -> float:
    values = sum(prod(array.shape) for array in sample)
    if model.file is None:
        assert model.macs is not None
        return _RUN + _MULTIPLY_ADD * (values + model.macs(sample))
    shapes = {spec.name: array.shape for spec, array in zip(model.inputs, sample, strict=True)}
    macs = macs_of_file(model.file, shapes)
    return _RUN + _MULTIPLY_ADD * (values + macs) + _WEIGHT_BYTE * model.file.stat().st_size
