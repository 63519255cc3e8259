"""Fits the layers of a quantized .tflite."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.quantize.numerics.weights import Weights
from edgeq.quantize.passes.fit.fit_layers import fit_layers, put_weights
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.samples import SamplesLike


def reconstruct(
    source: Path, written: Path, samples: SamplesLike, indices: tuple[int, ...], **options: Any
) -> dict[str, Weights]:
    """New weights by layer (the name of its output) for the file `written`, quantized from `source`; neither changes."""
    return fit_layers(TfliteFile(source, written), samples, indices, **options)


def replay(source: Path, path: Path, found: Mapping[str, Weights]) -> None:
    """Puts what `reconstruct` found into the file at `path`, quantized from `source`; what is float there stays so."""
    if not found:
        return
    file = TfliteFile(source, path)
    put_weights(file, found)
    file.save(path)
