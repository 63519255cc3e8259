"""How far a file's outputs are from float's, sample by sample: what ranges are chosen by."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.evaluate.float_runner import float_runner
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, powers_of_each
from edgeq.quantize.run_model import load, run
from edgeq.quantize.samples import Array, SamplesLike

Doubles = npt.NDArray[np.float64]

SCRATCH = "closest"  # the folder beside a file that is tried
_KEPT = 32 * 2**20  # bytes of outputs that are worth their place on disk
_NO_NOISE = 1e-20  # of the signal: stands for an output without any error


@dataclass(frozen=True)
class Some:
    """The samples at `positions` of a set."""

    samples: SamplesLike
    positions: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.positions)

    @property
    def labels(self) -> None:
        return None

    @property
    def truth(self) -> None:
        return None

    @property
    def sha256(self) -> str:
        return self.samples.sha256

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        return self.samples[self.positions[i]]


@dataclass(frozen=True)
class Reference:
    """Float's outputs on `samples`, as the graph defines them. `format` is the files' suffix without its dot."""

    samples: Some
    outputs: tuple[Array, ...]
    format: str
    threads: int

    @staticmethod
    def of(source: Path, samples: Some, model: str, threads: int, kept: Kept) -> "Reference":
        """`source` is made from the model of that sha256 and nothing else."""
        format = source.suffix.removeprefix(".")
        facts = {
            "what": "outputs",
            "model": model,
            "samples": samples.sha256,
            "positions": list(samples.positions),
            "threads": threads,
        }
        found = kept.find(**facts)
        if found is not None:
            return Reference(samples, tuple(found.values()), format, threads)
        with tempfile.TemporaryDirectory(prefix="edgeq-") as scratch:
            outputs = run(float_runner(source, format, threads, samples).runner, samples, Path(scratch))
        if all(o.dtype != object for o in outputs) and sum(o.nbytes for o in outputs) <= _KEPT:
            kept.put({f"{k:04d}": o for k, o in enumerate(outputs)}, **facts)
        return Reference(samples, outputs, format, threads)

    def noise(self, path: Path) -> Doubles:
        """Of the file at `path`: [samples, outputs], noise of one sample over the signal of all."""
        outputs = run(load(path, self.format, self.threads), self.samples, path.parent / SCRATCH)
        shares = []
        for reference, output in zip(self.outputs, outputs, strict=True):
            signal, noise = powers_of_each(reference, output)
            shares.append(noise / max(float(signal.sum()), NO_SIGNAL))
        return np.stack(shares, axis=1)


def closeness(noise: Doubles) -> float:
    """Mean SQNR of the outputs in dB."""
    return float(np.mean(-10.0 * np.log10(np.maximum(noise.sum(axis=0), _NO_NOISE))))
