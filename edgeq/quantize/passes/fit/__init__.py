"""Fits a quantized layer's weights and bias to its float outputs, on the inputs that it gets once quantized, and keeps that
unless the model's outputs lose by it.

Layer by layer from the inputs to the outputs, each fitted to the rounding errors of all layers before it, in closed
form and without gradients: least squares with GPTQ rounding. Operators and speed of the file stay as they are.

Another pass that changes weights reads them from a `QdqFile` or `TfliteFile` of what `context.write(q)` wrote (layers, runs, integers,
scale, bias, put), and merges its `Weights` into those of the state, also in `_with_weights`, which a refit calls.
"""

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.errors import DataRefused
from edgeq.graphs.memory import tensor_bytes
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.products import onnx_products, tflite_products
from edgeq.graphs.weightless import digest
from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.plain_text import counted
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.float_outputs import FloatOutputs
from edgeq.quantize.effort import DEFAULT, EFFORTS, Effort
from edgeq.quantize.evaluate.evaluator import Gain, graph_evaluator, tflite_evaluator
from edgeq.quantize.evaluate.verdict_cache import sha256_of
from edgeq.quantize.fit_time import seconds_by_layer
from edgeq.quantize.passes.fit.fit_layers import (
    AS_UNIFORM,
    SHORT_ROWS,
    QuantizedFile,
    WeightLevels,
    fit_layers,
    held_bytes,
    shared_bits,
    whole_layers,
)
from edgeq.quantize.passes.fit.fit_layers import STAGE as FITTING
from edgeq.quantize.passes.fit.heard_noise import noise_heard, probes
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.passes.fit.sample_counts import FEWEST, sample_counts
from edgeq.quantize.passes.int16_saturation import MAX_PAIR_SUM
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced, shapes_of, split_of, spread
from edgeq.quantize.weights import Weights

if TYPE_CHECKING:
    import onnx

NAME = "fit"
STAGE = FITTING
CHECK = "check the fit"
_HOW = "weights and biases corrected for earlier rounding error"
_WHOLE = "they keep 8 bits, as"

_MISSED = 0.05  # bits
_LUCK_DB = 0.3  # by which other rounding alone moves the outputs

# Sums of squares of huge values overflow, and the weights solved for are not finite: they lose in the comparison.
_huge_values = np.errstate(over="ignore", invalid="ignore")


@dataclass(frozen=True)
class Fit:
    """New weights by layer; none where the outputs lose. `whole`: the layers that keep 8 bits where fewer were asked for, and why."""

    weights: dict[str, Weights] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)
    gain_db: float = 0.0
    result: PassResult = PassResult(NAME, False, f"fewer than {FEWEST} samples")  # noqa: RUF009 (frozen)


def run(q: Quantization, context: Context) -> Quantization:
    found = _fit(q, (), context)
    return _with_weights(q, found).with_result(found.result)


def refit(q: Quantization, in_float: Collection[str], context: Context) -> Quantization:
    """Fitted to the rounding that is left with the layers of `in_float` in float."""
    return _with_weights(q, _fit(q, in_float, context))


def _with_weights(q: Quantization, found: Fit) -> Quantization:
    """In place of those of an earlier fit."""
    gain_db = round(found.gain_db, 1)
    hows = dict.fromkeys(found.weights, _HOW)
    for layer, why in found.whole.items():
        hows[layer] = f"{hows.get(layer, 'weights')}{'; ' if layer in hows else ': '}{_WHOLE} {why}"
    changes = tuple(AppliedChange(layer, how, gain_db) for layer, how in hows.items())
    return replace(q, weights=found.weights, weight_changes=changes)


def _fit(q: Quantization, in_float: Collection[str], context: Context) -> Fit:
    path, samples, threads, progress = context.path, context.calibration, context.threads, context.progress
    effort = EFFORTS[context.options.effort]
    bits = context.options.weight_bits if q.method == "static" else 8
    if bits < 8:
        effort = replace(effort, fitted=max(effort.fitted, 1.0))  # rounding to nearest would ruin them
        require_samples(samples, bits)
    levels = _levels(q, context.options.levels if bits < 8 else UNIFORM)
    context.write(q, in_float, fitted=False)
    cache = context.cache
    if q.format == "onnx":
        known = q.float_outputs
        return fit_onnx(
            q.graph, q.source, path, samples, threads, progress, effort, known, bits, levels, cache
        )
    return fit_tflite(q.source, path, samples, threads, progress, effort, bits, levels, cache)


def _levels(q: Quantization, kind: str) -> WeightLevels:
    """No two neighbours of the largest overflow a sum of 16 bits, where kernels have such."""
    return WeightLevels(kind, MAX_PAIR_SUM // 2 if q.scheme is not None and q.scheme.pairs_fit else 127)


def require_samples(samples: SamplesLike, bits: float) -> None:
    """Raises DataRefused where they are too few to fit anything to, which fewer levels need."""
    if split_of(samples).learn.count < FEWEST:
        raise DataRefused(
            f"weights of {bits:g} bits are fitted to samples, and of these {samples.count} too few are left to learn from",
            f"give more (--data, or a larger --calibrate), or leave out --weight-bits {bits:g}",
        )


@_huge_values
def fit_onnx(
    model: "onnx.ModelProto",
    source: Path,
    written: Path,
    samples: SamplesLike,
    threads: int,
    progress: Progress,
    effort: Effort = EFFORTS[DEFAULT],
    known: FloatOutputs | None = None,
    bits: float = 8,
    levels: WeightLevels = AS_UNIFORM,
    cache: ArrayCache = NO_CACHE,
) -> Fit:
    """Of the QDQ file `written`, made from `model`, which was read from `source`; both files stay as they are.

    Learns from as many samples as `effort` says, fewer where their activations take much memory (sample_counts.py), none with fewer
    than 8. Kept unless the pre-softmax outputs lose on samples that it did not learn from.
    """
    after = read_onnx(written)
    file = QdqFile(after, model)
    learned, counts = _learned(file, tensor_bytes(model, shapes_of(samples)), samples, effort)
    if not counts:
        return _nothing(file)
    products = [*onnx_products(model)]
    seconds = seconds_by_layer(products, learned.count, effort.columns, effort.block)
    heard = None
    if _shares_bits(bits, levels):
        few = probes(samples, products)
        facts = {"model": digest(model), "samples": [few.sha256, *few.positions]}
        compare = lambda: graph_evaluator(model, few, threads, known)  # noqa: E731
        heard = noise_heard(file, compare, written.parent, cache, facts, progress)
    weights = fit_layers(
        file,
        learned,
        counts=counts,
        bits=bits,
        short_code=bits < 8,
        levels=levels,
        effort=effort,
        threads=threads,
        progress=progress,
        seconds=seconds,
        heard=heard,
    )
    progress(CHECK, 0.0)
    evaluator = graph_evaluator(model, split_of(samples).check, threads, known)
    return _kept(weights, evaluator.gain(read_onnx(written), after), file, bits, levels)


@_huge_values
def fit_tflite(
    source: Path,
    written: Path,
    samples: SamplesLike,
    threads: int,
    progress: Progress,
    effort: Effort = EFFORTS[DEFAULT],
    bits: float = 8,
    levels: WeightLevels = AS_UNIFORM,
    cache: ArrayCache = NO_CACHE,
) -> Fit:
    """The same for the quantized .tflite `written`, made from `source`."""
    file = TfliteFile(source, written)
    learned, counts = _learned(file, tensor_bytes(source, shapes_of(samples)), samples, effort)
    if not counts:
        return _nothing(file)
    products = [*tflite_products(source)]
    seconds = seconds_by_layer(products, learned.count, effort.columns, effort.block)
    heard = None
    if _shares_bits(bits, levels):
        few = probes(samples, products)
        facts = {"model": sha256_of(source), "samples": [few.sha256, *few.positions]}
        compare = lambda: tflite_evaluator(source, few, threads)  # noqa: E731
        heard = noise_heard(file, compare, written.parent, cache, facts, progress)
    weights = fit_layers(
        file,
        learned,
        counts=counts,
        bits=bits,
        short_code=bits < 8,
        levels=levels,
        effort=effort,
        threads=threads,
        progress=progress,
        seconds=seconds,
        heard=heard,
    )
    progress(CHECK, 0.0)
    evaluator = tflite_evaluator(source, split_of(samples).check, threads)
    with tempfile.TemporaryDirectory(dir=written.parent) as folder:
        after = Path(folder) / "fitted.tflite"
        file.save(after)
        return _kept(weights, evaluator.gain(written, after), file, bits, levels)


def _shares_bits(bits: float, levels: WeightLevels) -> bool:
    """Whether layers have different numbers of bits, `bits` in the mean."""
    return bits < 8 and levels.kind == UNIFORM


def _learned(
    file: QuantizedFile[Any], sizes: Mapping[str, int], samples: SamplesLike, effort: Effort
) -> tuple[Subset, list[int]]:
    """The samples to learn from, and how many of them each layer is fitted to; for none where there are too few, or no layer."""
    learned = evenly_spaced(split_of(samples).learn, effort.samples)
    weights = [layer.weight.size for layer in file.layers()]
    counts = sample_counts(held_bytes(file, learned, sizes), weights, learned.count)
    return learned if min(counts, default=0) == learned.count else spread(learned), counts


def _nothing(file: QuantizedFile[Any]) -> Fit:
    return Fit() if file.layers() else Fit(result=PassResult(NAME, False, "no layer has int8 weights"))


def _kept(
    weights: dict[str, Weights], gain: Gain, file: QuantizedFile[Any], bits: float, levels: WeightLevels
) -> Fit:
    """Where the outputs do not lose by it; below 8 `bits` in any case, as that was asked for, and the gate has the word."""
    layers, gain_db = counted(len(weights), "layer"), round(gain.db, 1)
    if bits < 8:
        whole = whole_layers(file, levels.kind)
        why = f"{layers}, {_bits_in_words(file, bits, whole, levels.kind)}"
        return Fit(weights, whole, gain.db, PassResult(NAME, True, why, gain_db))
    if not gain.reaches(-_LUCK_DB):
        return Fit(result=PassResult(NAME, False, f"{layers}: the outputs are farther from float", gain_db))
    return Fit(weights, {}, gain.db, PassResult(NAME, True, layers, gain_db))


def _bits_in_words(file: QuantizedFile[Any], asked: float, whole: Mapping[str, str], kind: str) -> str:
    layers = file.layers()
    bits = shared_bits(layers, asked, whole, kind)
    if kind != UNIFORM:
        return f"weights of {asked:g} bits ({kind}); {_eight_in_words(whole)}"
    sizes = {layer.name: layer.weight.size for layer in layers}
    mean = sum(bits[name] * size for name, size in sizes.items()) / max(sum(sizes.values()), 1)
    eight = _eight_in_words(whole)
    if mean > asked + _MISSED:
        return f"weights of {mean:.2g} bits on average, not {asked:g}: {eight}, and no layer fewer than 2"
    return f"weights of {asked:g} bits on average, more where a layer has few" + (
        f"; {eight}" if whole else ""
    )


def _eight_in_words(whole: Mapping[str, str]) -> str:
    have = "has" if len(whole) == 1 else "have"
    if set(whole.values()) <= {SHORT_ROWS}:
        return f"{counted(len(whole), 'layer')} of short rows {have} 8"
    return f"{counted(len(whole), 'layer')} {have} 8 (first and last ones, short rows)"
