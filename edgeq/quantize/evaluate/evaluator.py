"""How far a quantized graph or file is from float on calibration samples: the measure that passes choose and keep by.

An `Evaluator` holds float's outputs on some samples and gives the noise of a candidate: [samples, outputs], the squared
error of a sample over the signal of all samples. SQNR in dB and the gain of one candidate over another follow from it.

One rule says what a pass keeps (Gain.reaches): on `check` samples, which nothing was fitted to or chosen by (samples.Split), the
noise of a sample falls, and by as many dB as the change has to gain:

    ranges                   any gain: the file is as fast
    fit                      no loss but by luck (0.3 dB): it is expected to gain, and other rounding alone moves the outputs
    head                     0.3 dB on onnxruntime, where it takes 1 to 4 % of the time; any on LiteRT, about 1 %
    equalize                 0.5 dB, with the ranges of every calibrator: other rounding alone moves the outputs by as much
    smooth                   0.5 dB for factors that fold into a norm, 1 dB for those that need a Mul

Outputs are compared before a softmax (pre_softmax_outputs.py), but for the ranges of a .tflite. Layers in float
(mixed_precision) are another candidate or the gate's remedy, so they are chosen on calibration samples and judged on
held-out ones, with the gate's measures.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from edgeq.graphs.tflite import read_model
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.float_outputs import FloatOutputs
from edgeq.quantize.evaluate.float_runner import float_runner
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.evaluate.pre_softmax_outputs import pre_softmax_of, tensors_in, tflite_pre_softmax
from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, per_sample_powers
from edgeq.quantize.run_model import Progress, load, no_progress, run, values_of, without_batch
from edgeq.quantize.samples import Array, SamplesLike, Subset

if TYPE_CHECKING:
    import onnx

Candidate = TypeVar("Candidate")
Outputs = tuple[Array, ...]  # one array [samples, ...] for each output, of objects where shapes vary
Noise = npt.NDArray[np.float64]  # [samples, outputs]

SCRATCH = "evaluated"  # the folder next to a candidate for its large outputs
_NO_NOISE = 1e-20  # of the signal, 200 dB: stands for an output without any error
_LEAST_SHARE = 0.001  # of the mean noise, added to that of each sample: one without any gains 30 dB, no more
_LARGEST_CACHED = 32 * 2**20  # bytes of outputs


@dataclass(frozen=True)
class Evaluator(Generic[Candidate]):
    """`reference` are float's outputs; `run` gives those of a candidate on the same samples."""

    reference: Outputs
    run: Callable[[Candidate], Outputs]

    def noise(self, candidate: Candidate) -> Noise:
        return noise_of(self.reference, self.run(candidate))

    def sqnr_db(self, candidate: Candidate) -> float:
        """Mean of the outputs."""
        return mean_sqnr_db(self.noise(candidate))

    def gain(self, before: Candidate, after: Candidate) -> "Gain":
        return gain_of(self.noise(before), self.noise(after))


@dataclass(frozen=True)
class Gain:
    """`db`: by how much the noise of a sample falls, in the mean over outputs and samples. In dB, no sample of large noise
    outweighs the others, as it would in the SQNR of all. `standard_errors`: over the samples, that `db` is away from 0.
    """

    db: float
    standard_errors: float

    def reaches(self, least_db: float) -> bool:
        """Whether it is worth the change. Most of what is tried helps, so a test of significance would refuse more gains than
        losses where samples are few (two standard errors, ResNet-20, 32 samples: 2 dB lost). With 0 any gain does; below,
        the loss may not be larger.
        """
        return self.db > 0.0 if least_db == 0.0 else self.db >= least_db


def graph_evaluator(
    model: "onnx.ModelProto", samples: Subset, threads: int, known: FloatOutputs | None = None
) -> "Evaluator[onnx.ModelProto]":
    """Compares graphs made from the float `model`, which has inferred shapes, at their pre-softmax outputs. Float runs where
    its outputs are not `known`. Raises ConversionFailed where a graph does not run.
    """
    outputs = pre_softmax_of(model)

    def run_graph(graph: "onnx.ModelProto") -> Outputs:
        tensors = tensors_in(graph, outputs)
        return _stacked(zip(*values_of(graph, tensors, samples, threads), strict=True))

    found = known.of(tensors_in(model, outputs), samples) if known else None
    return Evaluator(run_graph(model) if found is None else _stacked(zip(*found, strict=True)), run_graph)


def tflite_evaluator(source: Path, samples: SamplesLike, threads: int) -> Evaluator[Path]:
    """Compares .tflite files quantized from the float file `source` at their pre-softmax outputs."""

    def run_file(path: Path) -> Outputs:
        model = read_model(path)
        part = TfliteRun(model, samples, threads)
        return _stacked(part.to(tensor) for tensor in tflite_pre_softmax(model))

    return Evaluator(run_file(source), run_file)


def file_evaluator(
    source: Path,
    samples: Subset,
    threads: int,
    *,
    model: str = "",
    cache: ArrayCache = NO_CACHE,
    known: Sequence[tuple[Array, ...]] | None = None,
    progress: Progress = no_progress,
    stage: str = "run",
) -> Evaluator[Path]:
    """Compares files with the float file `source` at their own outputs. With a `cache`, where `model` is the sha256 of
    the model that `source` is made from, float's outputs are found and kept there. They may be `known`, sample by sample.
    """
    format = source.suffix.removeprefix(".")

    def run_file(path: Path) -> Outputs:
        runner = load(path, format, threads)
        return run(runner, samples, path.parent / SCRATCH, progress=progress, stage=stage)

    if known is not None:
        bare = ((without_batch(output) for output in outputs) for outputs in known)
        return Evaluator(_stacked(zip(*bare, strict=True)), run_file)
    return Evaluator(_float_outputs(source, samples, threads, model, cache), run_file)


def _float_outputs(source: Path, samples: Subset, threads: int, model: str, cache: ArrayCache) -> Outputs:
    """As the graph defines them (float_runner.py)."""
    facts = {
        "what": "outputs",
        "model": model,
        "samples": samples.sha256,
        "positions": list(samples.positions),
        "threads": threads,
    }
    found = cache.find(**facts)
    if found is not None:
        return tuple(found.values())
    runner = float_runner(source, source.suffix.removeprefix("."), threads, samples).runner
    with tempfile.TemporaryDirectory(prefix="edgeq-") as scratch:
        outputs = run(runner, samples, Path(scratch))
    if all(o.dtype != object for o in outputs) and sum(o.nbytes for o in outputs) <= _LARGEST_CACHED:
        cache.put({f"{k:04d}": o for k, o in enumerate(outputs)}, **facts)
    return outputs


def noise_of(reference: Outputs, outputs: Outputs) -> Noise:
    shares = []
    for r, o in zip(reference, outputs, strict=True):
        signal, noise = per_sample_powers(r, o)
        shares.append(noise / max(float(signal.sum()), NO_SIGNAL))
    return np.stack(shares, axis=1) if shares else np.zeros((0, 0))


def mean_sqnr_db(noise: Noise) -> float:
    return float(np.mean(_sqnr_of_each(noise))) if noise.size else -10.0 * float(np.log10(_NO_NOISE))


def worst_sqnr_db(noise: Noise) -> float:
    """Of the output that is farthest from float."""
    return float(np.min(_sqnr_of_each(noise), initial=-10.0 * np.log10(_NO_NOISE)))


def _sqnr_of_each(noise: Noise) -> Noise:
    return np.asarray(-10.0 * np.log10(np.maximum(noise.sum(axis=0), _NO_NOISE)))


def gain_of(before: Noise, after: Noise) -> Gain:
    if not before.size:
        return Gain(0.0, 0.0)
    least = np.maximum(_LEAST_SHARE * before.mean(axis=0), _NO_NOISE)
    each = 10.0 * np.log10((before + least) / (after + least)).mean(axis=1)  # outputs count alike
    error = float(each.std(ddof=1)) / np.sqrt(len(each)) if len(each) > 1 else np.inf
    return Gain(float(each.mean()), float(each.mean()) / max(error, 1e-30))


def _stacked(outputs: Iterable[Sequence[Array]]) -> Outputs:
    """From the arrays of each sample, output by output."""
    return tuple(_stack(arrays) for arrays in outputs)


def _stack(arrays: Sequence[Array]) -> Array:
    if len({a.shape for a in arrays}) == 1:
        return np.stack(arrays)
    loose: Any = np.empty(len(arrays), dtype=object)
    for k, array in enumerate(arrays):
        loose[k] = array
    return loose  # type: ignore[no-any-return]
