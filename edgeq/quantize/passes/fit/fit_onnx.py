"""Reconstructs the layers of a QDQ graph for onnxruntime, from the first to the last."""

from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from edgeq.foreign import translated
from edgeq.quantize.float_graph import write
from edgeq.quantize.passes.fit.fit_layer import fits, fitted
from edgeq.quantize.passes.fit.fitted_weights import Weights
from edgeq.quantize.passes.fit.onnx_walk import Walk
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike


def reconstruct(
    float_model: Any,
    quantized: Any,
    samples: SamplesLike,
    indices: tuple[int, ...],
    *,
    bits: int = 8,
    threads: int = 1,
    progress: Progress = no_progress,
) -> dict[str, Weights]:
    """Changes the integers, scales and biases of `quantized` (a QDQ ModelProto made from `float_model`) in place.

    `indices` are the samples to learn from. Below 8 `bits`, rows get 2^bits levels, still carried as int8. Returns
    the new weights by layer; layers that are not among them keep theirs.
    """
    file = QdqFile(quantized, float_model)
    inputs = [i.name for i in float_model.graph.input if i.name not in _initial(float_model)]
    feeds = [dict(zip(inputs, samples[i], strict=True)) for i in indices]
    walks = Walk(float_model, feeds, threads), Walk(quantized, feeds, threads)
    found: dict[str, Weights] = {}
    layers = file.layers()
    for k, layer in enumerate(layers):
        progress("fit weights and biases", k / len(layers))
        x, z = walks[0].to(layer.float_input), walks[1].to(layer.input)
        linear = layer.linear(x[0].shape)
        if linear is not None and fits(linear, layer.weight):
            pairs = list(zip(x, z, strict=True))
            integers, scale = file.array(layer.integers), file.array(layer.scale)
            with threadpool_limits(1, "blas"):  # more fight over cores as soon as anybody else wants them
                found[layer.name] = fitted(linear, pairs, layer.weight, layer.bias, integers, scale, bits)
            file.put(layer, found[layer.name])
    progress("fit weights and biases", 1.0)
    return found


def replay(float_model: Any, path: Path, found: dict[str, Weights]) -> None:
    """Puts what `reconstruct` found into the QDQ file at `path`, made from the same model; what is float there stays so."""
    import onnx

    if not found:
        return
    with translated(f"cannot read {path.name} as ONNX"):
        quantized = onnx.load(str(path))
    file = QdqFile(quantized, float_model)
    for layer in file.layers():
        if layer.name in found:
            file.put(layer, found[layer.name])
    write(quantized, path)


def _initial(model: Any) -> set[str]:
    return {i.name for i in model.graph.initializer}
