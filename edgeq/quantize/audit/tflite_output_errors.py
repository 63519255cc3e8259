"""The same as `output_errors` for a .tflite file whose activations are quantized as they come: each operator is run by itself
on what float gave it, as it is in the file and in float with the file's weights.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.tflite import kind_of, read_model
from edgeq.quantize.audit.layer_error import LayerError, Sums
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.numerics import real_values
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

Array = npt.NDArray[Any]

# Operators with weights, and which of their inputs are data and weights.
PLACES = {
    "BATCH_MATMUL": (0, 1),
    "CONV_2D": (0, 1),
    "DEPTHWISE_CONV_2D": (0, 1),
    "EMBEDDING_LOOKUP": (0, 1),
    "FULLY_CONNECTED": (0, 1),
    "GATHER": (1, 0),
    "TRANSPOSE_CONV": (2, 1),
}
_INT8, _FLOAT32 = 9, 0  # of the schema's TensorType


@dataclass(frozen=True)
class _Fed:
    """What float gave an operator, as the samples of a model that is nothing but it."""

    values: list[Array]
    labels: None = None
    truth: None = None
    sha256: str = ""

    @property
    def count(self) -> int:
        return len(self.values)

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        return (self.values[i],)


def tflite_output_errors(
    source: Path, quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> dict[str, LayerError]:
    """By the name of the operator's output. Raises ConversionFailed where a file does not run."""
    models = read_model(source), read_model(quantized)
    indices = tuple(range(samples.count))
    runs = [TfliteRun(m, samples, indices, threads) for m in models]
    twins, found = list(_twins(*models)), {}
    for k, (operator, twin) in enumerate(twins):
        progress("explain", k / len(twins))
        data, weights = PLACES[kind_of(models[1], twin)]
        x = _Fed(runs[0].to(int(operator.inputs[data])))
        y, z = (r.to(int(o.outputs[0])) for r, o in zip(runs, (operator, twin), strict=True))
        own = _alone(models[1], twin, data, x, threads)
        exact = _alone(_with_weights(*models, operator, twin, weights), operator, data, x, threads)
        sums = Sums(-1)
        for values in zip(y, z, own, exact, strict=True):
            sums.add(*values)
        error = sums.error()
        if error is not None:
            found[_name(models[1], twin)] = error
    return found


def _twins(real: Any, quantized: Any) -> Iterator[tuple[Any, Any]]:
    """Operators of float with those whose int8 weights stand for theirs, in running order."""
    floats = {_name(real, o): o for o in real.subgraphs[0].operators}
    for twin in quantized.subgraphs[0].operators:
        kind, operator = kind_of(quantized, twin), floats.get(_name(quantized, twin))
        if kind not in PLACES or operator is None or kind_of(real, operator) != kind:
            continue
        weights = quantized.subgraphs[0].tensors[twin.inputs[PLACES[kind][1]]]
        if weights.type == _INT8 and quantized.buffers[weights.buffer].data is not None:
            yield operator, twin


def _alone(model: Any, operator: Any, data: int, x: _Fed, threads: int) -> list[Array]:
    """What `operator` gives where it gets `x`."""
    graph, piece = copy(model.subgraphs[0]), copy(model)
    graph.operators, graph.inputs, graph.outputs = [operator], [operator.inputs[data]], [operator.outputs[0]]
    piece.subgraphs = [graph, *model.subgraphs[1:]]
    return TfliteRun(piece, x, tuple(range(x.count)), threads).to(int(operator.outputs[0]))


def _with_weights(real: Any, quantized: Any, operator: Any, twin: Any, which: int) -> Any:
    """`real` with the weights that `twin` has in the quantized file."""
    stored = quantized.subgraphs[0].tensors[twin.inputs[which]]
    integers = np.frombuffer(bytes(quantized.buffers[stored.buffer].data), np.int8).reshape(stored.shape)
    scale = np.asarray(stored.quantization.scale, np.float32)
    values = real_values(integers, scale, axis=stored.quantization.quantizedDimension)
    graph, model = copy(real.subgraphs[0]), copy(real)
    tensor, buffer = copy(graph.tensors[operator.inputs[which]]), type(real.buffers[0])()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    tensor.buffer, tensor.type = len(real.buffers), _FLOAT32
    graph.tensors = [tensor if k == operator.inputs[which] else t for k, t in enumerate(graph.tensors)]
    model.buffers = [*real.buffers, buffer]
    model.subgraphs = [graph, *real.subgraphs[1:]]
    return model


def _name(model: Any, operator: Any) -> str:
    return str(model.subgraphs[0].tensors[operator.outputs[0]].name.decode())
