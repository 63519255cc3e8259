"""Reconstructs the layers of a quantized .tflite, from the first to the last."""

from pathlib import Path

from threadpoolctl import threadpool_limits

from edgeq.quantize.evaluate.tflite_walk import TfliteWalk
from edgeq.quantize.passes.fit.fit_layer import fits, fitted
from edgeq.quantize.passes.fit.fitted_weights import Weights
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike


def reconstruct(
    source: Path,
    written: Path,
    samples: SamplesLike,
    indices: tuple[int, ...],
    *,
    threads: int = 1,
    progress: Progress = no_progress,
) -> dict[str, Weights]:
    """New weights by layer (the name of its output) for the file `written`, quantized from `source`; neither changes.

    `indices` are the samples to learn from.
    """
    file = TfliteFile(source, written)
    walks = tuple(TfliteWalk(m, samples, indices, threads) for m in (file.float_model, file.model))
    found: dict[str, Weights] = {}
    layers = file.layers()
    for k, layer in enumerate(layers):
        progress("fit weights and biases", k / len(layers))
        x, z = walks[0].to(layer.float_input), walks[1].to(layer.input)
        pairs = [(layer.columns_input(a), layer.columns_input(b)) for a, b in zip(x, z, strict=True)]
        linear = layer.linear(pairs[0][0].shape)
        if fits(linear, layer.weight):
            integers, scale = file.integers(layer), file.scale(layer)
            with threadpool_limits(1, "blas"):  # more fight over cores as soon as anybody else wants them
                found[layer.name] = fitted(linear, pairs, layer.weight, layer.bias, integers, scale, 8)
            file.put(layer, found[layer.name])
    progress("fit weights and biases", 1.0)
    return found


def replay(source: Path, path: Path, found: dict[str, Weights]) -> None:
    """Puts what `reconstruct` found into the file at `path`, quantized from `source`; what is float there stays so."""
    if not found:
        return
    file = TfliteFile(source, path)
    for layer in file.layers():
        if layer.name in found:
            file.put(layer, found[layer.name])
    file.save(path)
