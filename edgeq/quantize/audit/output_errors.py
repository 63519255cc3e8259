"""The error of each layer's output in a file whose layers are not statically quantized products: by running both graphs.

With y what the layer outputs in float, z what it outputs in the file, and on float's own inputs: q what it outputs in the file,
v what it outputs with the file's weights and activations in float,

    z - y  =  (v - y)  +  (z - v)          q - y
              weights     rounding         own
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.graphs.stages import part_of, untyped
from edgeq.graphs.tflite import kind_of, read_model
from edgeq.quantize.audit.graph_rewrites import BRANCHES, FloatActivations, taken_branches, with_branches
from edgeq.quantize.audit.layer_errors import ErrorSums, LayerError
from edgeq.quantize.audit.matching import GraphPath, LayerMatcher, MatchedLayer, WeightedLayer
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.evaluate.sqnr import differences, finite
from edgeq.quantize.numerics import dequantize_linear
from edgeq.quantize.run_model import Progress, values_of
from edgeq.quantize.samples import Array, SamplesLike, evenly_spaced

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

    DataTypes = Mapping[str, np.dtype[np.generic]]

NOT_TAKEN = "the samples take another branch"
NOT_ALIKE = "the samples differ in whether they take its branch, or another If has the same names inside"
NOT_FINITE = "its values are infinite or NaN"
NOT_READABLE = "it is inside a Loop or Scan, so its values cannot be read"

# TFLite's operators with weights, and which of their inputs are data and weights.
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
class OutputErrors:
    """`found` by the layer's name; `why_not` says of the others why there is nothing."""

    found: Mapping[str, LayerError]
    why_not: Mapping[str, str]


def onnx_output_errors(
    model: "ModelProto",
    path: Path,
    layers: Sequence[WeightedLayer],
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
) -> OutputErrors:
    """Of `layers` of the float graph `model` in the file at `path` that was made from it. Raises ConversionFailed."""
    taken = taken_branches(model, samples, threads) if any(layer.path for layer in layers) else {}
    why_not = {layer.name: why for layer in layers if (why := _why_hidden(layer.path, taken))}
    float_model, quantized = with_branches(model, taken), with_branches(read_onnx(path), taken)
    matcher = LayerMatcher(float_model.graph, quantized.graph)
    found = {layer: matcher.match(layer) for layer in layers if layer.name not in why_not}
    matches = {layer: match for layer, match in found.items() if match is not None}
    sessions = _Sessions(quantized, _types(quantized, matches.values(), samples, threads), threads)
    measured = [sessions.measured(layer, match) for layer, match in matches.items()]
    sums = {m.layer.name: ErrorSums() for m in measured}
    for k, (floats, given) in enumerate(_values(float_model, quantized, measured, samples, threads)):
        progress("explain", k / samples.count)
        for m in measured:
            axis = 1 if "Conv" in m.layer.kind else -1
            _add(sums[m.layer.name], axis, floats[m.layer.output], given[m.output], *m.run(floats))
    errors = {name: s.error() for name, s in sums.items()}
    why_not |= {name: NOT_FINITE for name, error in errors.items() if error is None}
    return OutputErrors({name: error for name, error in errors.items() if error is not None}, why_not)


def _add(sums: ErrorSums, axis: int, *outputs: Array) -> None:
    """The `outputs` y, z, q and v of one sample; their channels are along `axis`."""
    y, z, q, v = (np.atleast_1d(a).astype(np.float64) for a in outputs)
    error = differences(y, z)
    sums.add(
        np.moveaxis(error, axis, -1).reshape(-1, y.shape[axis]),
        signal=finite(y),
        error=error,
        own=differences(y, q),
        rounding=differences(v, z),
        weights=differences(y, v),
    )


def _why_hidden(path: GraphPath, taken: Mapping[str, str]) -> str:
    """Empty where the layer can be measured."""
    for node, which in path:
        if node in taken and taken[node] != which:
            return NOT_TAKEN
        if node not in taken:
            return NOT_ALIKE if which in BRANCHES else NOT_READABLE
    return ""


def _types(
    quantized: "ModelProto", matches: Iterable[MatchedLayer], samples: SamplesLike, threads: int
) -> "DataTypes":
    """numpy's types of the inputs of `matches`, as the file has them: half precision where it computes so."""
    names = sorted({name for match in matches for name in match.inputs})
    (values,) = values_of(quantized, names, evenly_spaced(samples, 1), threads) if names else ((),)
    return {name: value.dtype for name, value in zip(names, values, strict=True)}


@dataclass(frozen=True, eq=False)
class _Measured:
    """`output` is what the file calls it. `own` and `exact` run what the file has in place of the layer on inputs of these
    `types`; `exact` leaves activations in float, None where only weights are rounded.
    """

    layer: WeightedLayer
    output: str
    types: "DataTypes"
    own: Session
    exact: Session | None

    def run(self, floats: Mapping[str, Array]) -> tuple[Array, Array]:
        """q and v."""
        inputs = {name: floats[name].astype(kind, copy=False) for name, kind in self.types.items()}
        with as_conversion_failed(f"the operators that replace {self.layer.name} do not run on their own"):
            own = self.own.run(None, inputs)[0]
            return own, own if self.exact is None else self.exact.run(None, inputs)[0]


class _Sessions:
    """Sessions of parts of `model`, whose tensors have the `types`."""

    def __init__(self, model: "ModelProto", types: "DataTypes", threads: int) -> None:
        self._model, self._types, self._threads = model, types, threads
        self._constants = constants_within(model.graph)

    def measured(self, layer: WeightedLayer, match: MatchedLayer) -> _Measured:
        types = {name: self._types[name] for name in match.inputs}
        exact = FloatActivations(self._constants)
        nodes = exact.nodes(match.nodes)
        return _Measured(
            layer,
            match.output,
            types,
            self._session(match.output, types, list(match.nodes), []),
            None if nodes is None else self._session(match.output, types, nodes, exact.tensors),
        )

    def _session(
        self, output: str, types: "DataTypes", nodes: "list[NodeProto]", tensors: "list[TensorProto]"
    ) -> Session:
        from onnx import helper

        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), None)
            for name, kind in types.items()
        ]
        part = part_of(self._model, nodes, inputs, [untyped(output)])
        part.graph.initializer.extend(tensors)
        with quiet(), as_conversion_failed(f"the layer that computes {output} does not load on its own"):
            return ort_session(part, threads=self._threads)


def constants_within(graph: "GraphProto") -> "dict[str, TensorProto]":
    """By name, those of the graphs inside too."""
    return {name: t for scope in index_of(graph).scopes() for name, t in scope.constants.items()}


def _values(
    float_model: "ModelProto",
    quantized: "ModelProto",
    measured: Sequence[_Measured],
    samples: SamplesLike,
    threads: int,
) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
    """Float's tensors and the file's outputs of layers, sample by sample."""
    outputs = list(dict.fromkeys(m.output for m in measured))
    wanted = list(dict.fromkeys(name for m in measured for name in (m.layer.output, *m.types)))
    if not wanted:
        return
    floats = values_of(float_model, wanted, samples, threads)
    values = values_of(quantized, outputs, samples, threads)
    for a, b in zip(floats, values, strict=True):
        yield dict(zip(wanted, a, strict=True)), dict(zip(outputs, b, strict=True))


@dataclass(frozen=True)
class _Inputs:
    """What an operator reads in float, as the samples of a model that has no other operator."""

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
    """Of a dynamically quantized file, by the name of the operator's output. Raises ConversionFailed where a file does not
    run.
    """
    models = read_model(source), read_model(quantized)
    runs = [TfliteRun(m, samples, threads) for m in models]
    pairs, found = list(_matched_operators(*models)), {}
    for k, (float_operator, operator) in enumerate(pairs):
        progress("explain", k / len(pairs))
        data, weights = PLACES[kind_of(models[1], operator)]
        x = _Inputs(runs[0].to(int(float_operator.inputs[data])))
        y, z = (r.to(int(o.outputs[0])) for r, o in zip(runs, (float_operator, operator), strict=True))
        q = _run_alone(models[1], operator, data, x, threads)
        v = _run_alone(
            _with_weights(*models, float_operator, operator, weights), float_operator, data, x, threads
        )
        sums = ErrorSums()
        for outputs in zip(y, z, q, v, strict=True):
            _add(sums, -1, *outputs)
        error = sums.error()
        if error is not None:
            found[_name(models[1], operator)] = error
    return found


def _matched_operators(float_model: "ModelT", quantized: "ModelT") -> "Iterator[tuple[OperatorT, OperatorT]]":
    """Operators of float, each with the one of its name that has int8 weights instead, in running order."""
    floats = {_name(float_model, o): o for o in float_model.subgraphs[0].operators}
    for operator in quantized.subgraphs[0].operators:
        kind, before = kind_of(quantized, operator), floats.get(_name(quantized, operator))
        if kind not in PLACES or before is None or kind_of(float_model, before) != kind:
            continue
        weights = quantized.subgraphs[0].tensors[operator.inputs[PLACES[kind][1]]]
        if weights.type == _INT8 and quantized.buffers[weights.buffer].data is not None:
            yield before, operator


def _run_alone(model: "ModelT", operator: "OperatorT", data: int, x: _Inputs, threads: int) -> list[Array]:
    """What `operator` outputs for `x`."""
    graph, part = copy(model.subgraphs[0]), copy(model)
    graph.operators, graph.inputs, graph.outputs = [operator], [operator.inputs[data]], [operator.outputs[0]]
    part.subgraphs = [graph, *model.subgraphs[1:]]
    return TfliteRun(part, x, threads).to(int(operator.outputs[0]))


def _with_weights(
    float_model: "ModelT", quantized: "ModelT", before: "OperatorT", operator: "OperatorT", which: int
) -> "ModelT":
    """`float_model` with the weights that `operator` has in the quantized file."""
    stored = quantized.subgraphs[0].tensors[operator.inputs[which]]
    integers = np.frombuffer(bytes(quantized.buffers[stored.buffer].data), np.int8).reshape(stored.shape)
    scale = np.asarray(stored.quantization.scale, np.float32)
    values = dequantize_linear(integers, scale, axis=stored.quantization.quantizedDimension)
    graph, model = copy(float_model.subgraphs[0]), copy(float_model)
    tensor, buffer = copy(graph.tensors[before.inputs[which]]), type(float_model.buffers[0])()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    tensor.buffer, tensor.type = len(float_model.buffers), _FLOAT32
    graph.tensors = [tensor if k == before.inputs[which] else t for k, t in enumerate(graph.tensors)]
    model.buffers = [*float_model.buffers, buffer]
    model.subgraphs = [graph, *float_model.subgraphs[1:]]
    return model


def _name(model: "ModelT", operator: "OperatorT") -> str:
    return str(model.subgraphs[0].tensors[operator.outputs[0]].name.decode())
