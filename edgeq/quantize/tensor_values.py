"""Runs a graph over some samples and gives any of its tensors."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgeq.foreign import quiet, translated
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at
from edgeq.quantize.samples import Array, SamplesLike

if TYPE_CHECKING:
    import onnx


def values_of(
    model: "onnx.ModelProto",
    tensors: Sequence[str],
    samples: SamplesLike,
    indices: tuple[int, ...],
    threads: int,
) -> Iterator[tuple[Array, ...]]:
    """The values of `tensors` of `model`, sample by sample. Raises ConversionFailed."""
    with quiet(), translated("onnxruntime does not load the graph with its inner tensors as outputs"):
        session = ort_session(ending_at(model, tensors), threads=threads)
    inputs = [i.name for i in session.get_inputs()]
    for i in indices:
        with translated("the graph does not run on a calibration sample"):
            yield tuple(session.run(list(tensors), dict(zip(inputs, samples[i], strict=True))))
