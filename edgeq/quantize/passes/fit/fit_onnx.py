"""Fits the layers of a QDQ graph for onnxruntime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.quantize.numerics.weights import Weights
from edgeq.quantize.passes.fit.fit_layers import fit_layers, put_weights
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.samples import SamplesLike


def reconstruct(
    float_model: Any, quantized: Any, samples: SamplesLike, indices: tuple[int, ...], **options: Any
) -> dict[str, Weights]:
    """Changes the integers, scales and biases of `quantized` (a QDQ ModelProto made from `float_model`) in place."""
    return fit_layers(QdqFile(quantized, float_model), samples, indices, **options)


def replay(float_model: Any, path: Path, found: Mapping[str, Weights]) -> None:
    """Puts what `reconstruct` found into the QDQ file at `path`, made from the same model; what is float there stays so."""
    if not found:
        return
    quantized = read_onnx(path)
    put_weights(QdqFile(quantized, float_model), found)
    write_onnx(quantized, path)
