"""Cross-layer equalization: scales the channels between two layers, and the second layer's weights by the inverse.

    pairs       layers with channels between them that a positive factor may scale
    factors     by how much, and what a layer gains by it
    scaled      a copy of the graph with factors put in: float's own results, other numbers
    keep        where the quantized outputs gain by it

Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.passes import small_convs
from edgeq.quantize.passes.equalize.keep import Equalized, equalized, not_equalized
from edgeq.quantize.passes.equalize.scaled import as_in
from edgeq.quantize.quantization import Context, Quantization

if TYPE_CHECKING:
    import onnx

__all__ = ["NAME", "Equalized", "as_in", "equalized", "not_equalized", "run"]

NAME = "equalize"


def run(q: Quantization, context: Context) -> Quantization:
    """The graph with equalized channels, where its static int8 file comes closer to float by that."""
    leave = small_convs.convolutions(q, context).keys()

    def write(model: "onnx.ModelProto", path: Path, ranges: Ranges) -> None:
        tried = replace(q, model=model, ranges=ranges)
        context.backend.write(tried, path, leave, fitted=False)

    found = equalized(
        q.graph,
        write,
        context.path,
        context.calibration,
        threads=context.threads,
        progress=context.progress,
    )
    return replace(q, model=found.model).changed(NAME, found.remedies).result(found.tried)
