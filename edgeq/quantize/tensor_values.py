"""Runs a graph over some samples and gives any of its tensors."""

from collections.abc import Iterator, Sequence
from typing import Any

from edgeq.foreign import quiet, translated
from edgeq.graphs.ort_session import ort_session
from edgeq.quantize.samples import Array, SamplesLike


def values_of(
    model: Any, tensors: Sequence[str], samples: SamplesLike, indices: tuple[int, ...], threads: int
) -> Iterator[tuple[Array, ...]]:
    """The values of `tensors` of `model` (a ModelProto), sample by sample. Raises ConversionFailed."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors))
    with quiet(), translated("onnxruntime does not load a graph whose inner tensors are looked at"):
        session = ort_session(copy, threads=threads)
    inputs = [i.name for i in session.get_inputs()]
    for i in indices:
        with translated("the graph does not run on a calibration sample"):
            yield tuple(session.run(list(tensors), dict(zip(inputs, samples[i], strict=True))))
