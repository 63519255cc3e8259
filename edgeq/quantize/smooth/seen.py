"""What the channels of some tensors hold on a few calibration samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import quiet, translated
from edgeq.quantize.samples_like import Array, SamplesLike

Floats = npt.NDArray[np.float32]

_ROWS = 32  # of one sample: those of a picture or a sentence are much alike


@dataclass(frozen=True, eq=False)
class Seen:
    """Of one sample: some of a tensor's `rows` [rows, channels], and the extremes of all of them, each [channels]."""

    rows: Floats
    low: Floats
    high: Floats

    @staticmethod
    def of(values: Floats) -> "Seen":
        rows = values.reshape(-1, values.shape[-1])
        some = rows[np.linspace(0, len(rows) - 1, min(len(rows), _ROWS)).astype(int)]
        return Seen(some, rows.min(axis=0), rows.max(axis=0))


def values_of(
    model: Any, tensors: Sequence[str], samples: SamplesLike, indices: tuple[int, ...], threads: int
) -> Iterator[tuple[Array, ...]]:
    """The values of `tensors` of `model` (a ModelProto), sample by sample. Raises ConversionFailed."""
    import onnx
    import onnxruntime as ort

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    with quiet(), translated("onnxruntime does not load a graph whose inner tensors are looked at"):
        session = ort.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = [i.name for i in session.get_inputs()]
    for i in indices:
        with translated("the graph does not run on a calibration sample"):
            yield tuple(session.run(list(tensors), dict(zip(inputs, samples[i], strict=True))))
