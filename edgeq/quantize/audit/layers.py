"""The layers of a candidate: how each was quantized, which kernel runs it, how large its error is.

Types and granularity are read from the nodes or tensors that the file has for the layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.graphs.float_graph import read as read_float
from edgeq.graphs.input_shapes import largest, sized
from edgeq.graphs.macs import tflite_operator_shares
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import attributes, index_of, nodes_within
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import INTEGER_KERNELS
from edgeq.graphs.tflite import Operator, TfliteGraph, read_model, read_tflite
from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.kernels import computes_integers, has_integer_weights, integer_nodes, is_dequantized
from edgeq.quantize.audit.layer_errors import LayerError, layer_errors, onnx_layer_errors
from edgeq.quantize.audit.matching import (
    LayerMatcher,
    MatchedLayer,
    WeightedLayer,
    scopes_by_path,
    weighted_layers,
)
from edgeq.quantize.audit.output_errors import (
    NOT_TAKEN,
    PLACES,
    OutputErrors,
    constants_within,
    onnx_output_errors,
    tflite_output_errors,
)
from edgeq.quantize.passes.equalize import as_in
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.passes.int16_saturation import saturating_pairs
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, shapes_of

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import TensorT
    from onnx import ModelProto, NodeProto, TensorProto

FLOAT = "float"

_LETTERS = {"INT8": "S8", "UINT8": "U8"}
_LOOKUPS = ("EMBEDDING_LOOKUP", "GATHER")
_ELSEWHERE = "the file has no tensor of its output's name"
_UNKNOWN = "its weights are shared with other operators, or not constant symmetric int8"


@dataclass(frozen=True)
class Layer:
    """`row` as it is printed, but for why it is in float and what was changed. `node` is the name of the float graph's node
    ("" where it has none), in TFLite that of its first output. `nodes`: the file's nodes for the layer and the ones before
    it, as "<operator>: <name>".
    """

    row: LayerExplained
    node: str
    nodes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Quantized:
    """`scheme`: types and granularity in words, FLOAT where the layer is not quantized. `integer`: an integer kernel runs it."""

    scheme: str = FLOAT
    integer: bool = False


_IN_FLOAT = Quantized()


def onnx_static_layers(
    source: Path,
    path: Path,
    scheme: Scheme,
    samples: SamplesLike,
    *,
    saturates: bool,
    threads: int,
    progress: Progress,
) -> list[Layer]:
    """Of a QDQ file at `path`. `saturates`: the target's CPU adds pairs of products in 16 bits."""
    model = as_in(read_float(source), path)
    layers, file = _weighted_layers(model, samples), _QuantizedGraphs(model, path)
    products = onnx_layer_errors(model, path, samples, threads=threads, progress=progress)
    integer = integer_nodes(path, scheme)
    quantized = {
        layer.name: Quantized(str(scheme), layer.name in integer)
        for layer in layers
        if layer.name in products or file.reads_dequantized(layer)
    }
    others = [layer for layer in layers if layer.name in quantized.keys() - products.keys()]
    outputs = onnx_output_errors(model, path, others, samples, threads=threads, progress=progress)
    outputs = OutputErrors({**_without_parts(outputs.found), **products}, outputs.why_not)
    overflows = saturating_pairs(path) if saturates else {}
    return _onnx_layers(layers, file, quantized, outputs, overflows)


def onnx_other_layers(
    source: Path, path: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> list[Layer]:
    """Of a file at `path` that is not statically quantized: dynamic int8, weights in blocks, tables in 8 bits, float16."""
    model = read_float(source)
    layers, file = _weighted_layers(model, samples), _QuantizedGraphs(model, path)
    found = {layer.name: file.quantized(layer) for layer in layers}
    quantized = {name: how for name, how in found.items() if how.scheme != FLOAT}
    measured = [layer for layer in layers if layer.name in quantized]
    outputs = onnx_output_errors(model, path, measured, samples, threads=threads, progress=progress)
    half = {name: e for name, e in outputs.found.items() if quantized[name].scheme == "float16"}
    outputs = replace(outputs, found={**outputs.found, **_without_parts(half)})
    return _onnx_layers(layers, file, quantized, outputs, {})


def tflite_static_layers(
    source: Path, path: Path, scheme: Scheme, samples: SamplesLike, *, threads: int, progress: Progress
) -> list[Layer]:
    levels = 2**16 if scheme.activations == "int16" else 2**8
    file, graph = TfliteFile(source, path), read_tflite(path)
    errors = layer_errors(file, samples, threads=threads, progress=progress, levels=levels)
    quantized = dict.fromkeys(errors, Quantized(str(scheme)))
    integer = {_output(op, graph) for op in graph.operators if computes_integers(op, graph)}
    return _tflite_layers(source, quantized | dict.fromkeys(integer, Quantized(str(scheme), True)), errors)


def tflite_dynamic_layers(
    source: Path, path: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> list[Layer]:
    errors = tflite_output_errors(source, path, samples, threads=threads, progress=progress)
    graph, tensors = read_tflite(path), read_model(path).subgraphs[0].tensors
    quantized = {
        _output(op, graph): _tflite_quantized(op, tensors[op.inputs[PLACES[op.kind][1]]])
        for op in graph.operators
        if op.kind in PLACES and has_integer_weights(op, graph)
    }
    return _tflite_layers(source, quantized, errors)


def _weighted_layers(model: "ModelProto", samples: SamplesLike) -> tuple[WeightedLayer, ...]:
    """With the work of inputs as large as those of the samples, where the graph leaves that open."""
    return weighted_layers(sized(copied(model), largest(model, shapes_of(samples))))


def _without_parts(errors: Mapping[str, LayerError]) -> dict[str, LayerError]:
    """Where weights and inputs are rounded alike, their parts of the error cannot be told apart."""
    return {name: replace(error, weights=None, rounding=None) for name, error in errors.items()}


def _onnx_layers(
    layers: Sequence[WeightedLayer],
    file: "_QuantizedGraphs",
    quantized: Mapping[str, Quantized],
    outputs: OutputErrors,
    overflows: Mapping[str, int],
) -> list[Layer]:
    run = [layer for layer in layers if outputs.why_not.get(layer.name) != NOT_TAKEN]
    total = max(sum(layer.macs for layer in run), 1)
    found = []
    for layer in layers:
        row = _row(
            layer.name,
            layer.kind,
            layer.macs / total if layer in run else 0.0,
            quantized.get(layer.name, _IN_FLOAT),
            outputs.found.get(layer.name),
            outputs.why_not.get(layer.name, _ELSEWHERE),
        )
        pairs = overflows.get(layer.name) if layer.name in quantized else None
        found.append(Layer(replace(row, inside=layer.inside, overflows=pairs), layer.node, file.nodes(layer)))
    return found


def _tflite_layers(
    source: Path, quantized: Mapping[str, Quantized], errors: Mapping[str, LayerError]
) -> list[Layer]:
    graph, shares = read_tflite(source), tflite_operator_shares(source)
    found = []
    for op in graph.operators:
        name = _output(op, graph)
        if name in shares or (op.kind in PLACES and name in quantized):
            work, _ = shares.get(name, (0.0, 0.0))
            how = quantized.get(name, _IN_FLOAT)
            found.append(Layer(_row(name, op.kind, work, how, errors.get(name), _UNKNOWN), name))
    return found


def _row(
    name: str, kind: str, work: float, how: Quantized, error: LayerError | None, why_no_error: str
) -> LayerExplained:
    unmeasured = "" if error or how.scheme == FLOAT else why_no_error
    row = LayerExplained(name, kind, work, how.scheme, integer=how.integer, unmeasured=unmeasured)
    # Six significant digits: the rest is noise, and differs between machines.
    figures: dict[str, Any] = (
        {k: v if v is None else float(f"{v:.6g}") for k, v in asdict(error).items()} if error else {}
    )
    return replace(row, **figures)


class _QuantizedGraphs:
    """What the file at `path` has in place of the layers of the float graph `model` that it was made from."""

    def __init__(self, model: "ModelProto", path: Path) -> None:
        file = read_onnx(path)
        graphs = {where: index.graph for where, _, index in scopes_by_path(index_of(file.graph))}
        self._matchers = {
            where: LayerMatcher(index.graph, graphs[where])
            for where, _, index in scopes_by_path(index_of(model.graph))
            if where in graphs
        }
        self._constants = constants_within(file.graph)

    def quantized(self, layer: WeightedLayer) -> Quantized:
        match = self._match(layer)
        return _IN_FLOAT if match is None else _onnx_quantized(layer.kind, match.nodes, self._constants)

    def reads_dequantized(self, layer: WeightedLayer) -> bool:
        """Whether both operands come from a DequantizeLinear."""
        matcher = self._matchers.get(layer.path)
        node = None if matcher is None else matcher.node(layer)
        if matcher is None or node is None:
            return False
        return all(is_dequantized(name, matcher.index) for name in node.input[:2])

    def nodes(self, layer: WeightedLayer) -> frozenset[str]:
        """As `Layer.nodes`; where no node comes before it, the graph's input."""
        matcher, match = self._matchers.get(layer.path), self._match(layer)
        if matcher is None or match is None:
            return frozenset()
        makers = {name: matcher.index.producer(name) for name in match.inputs}
        before = [maker for maker in makers.values() if maker is not None]
        inputs = (f"input {name}" for name, maker in makers.items() if maker is None)
        return frozenset([*(f"{node.op_type}: {node.name}" for node in (*match.nodes, *before)), *inputs])

    def _match(self, layer: WeightedLayer) -> MatchedLayer | None:
        matcher = self._matchers.get(layer.path)
        return None if matcher is None else matcher.match(layer)


def _onnx_quantized(
    kind: str, matched: "Sequence[NodeProto]", constants: "Mapping[str, TensorProto]"
) -> Quantized:
    """How a layer of `kind` is quantized that is `matched` by these nodes, which read these `constants`."""
    nodes = list(nodes_within(matched))
    for node in nodes:
        if node.op_type == "MatMulNBits":
            facts = attributes(node)
            return Quantized(f"int{facts['bits']} blocks of {facts['block_size']}", True)
    for node in nodes:
        if node.op_type in INTEGER_KERNELS:
            weights = constants.get(node.input[1])
            letter = _LETTERS.get(_type(weights), "S8") if weights is not None else "S8"
            split = ", split into products" if kind in ("GRU", "RNN") else ""
            return Quantized(f"dynamic U8{letter} {_granularity(node, constants)}{split}", True)
    if any(_type(constants[name]) in _LETTERS for node in nodes for name in node.input if name in constants):
        return Quantized(f"S8 per row, {'looked up' if kind == 'Gather' else 'computed in float'}")
    own = [constants[n] for node in nodes if node.op_type == kind for n in node.input if n in constants]
    return Quantized("float16") if any(_type(tensor) == "FLOAT16" for tensor in own) else _IN_FLOAT


def _granularity(node: "NodeProto", constants: "Mapping[str, TensorProto]") -> str:
    """By how many scales, or zero points, the weights have."""
    if node.op_type == "DynamicQuantizeLSTM":
        scales = [constants[name] for name in (node.input[8], node.input[10]) if name in constants]
        return "per channel" if any(len(t.dims) > 1 for t in scales) else "per tensor"
    zeros = constants.get(node.input[3]) if len(node.input) > 3 else None
    return "per channel" if zeros is not None and len(zeros.dims) > 0 else "per tensor"


def _type(tensor: "TensorProto") -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(tensor.data_type))


def _tflite_quantized(operator: Operator, weights: "TensorT") -> Quantized:
    each = "per channel" if len(weights.quantization.scale) > 1 else "per tensor"
    if operator.kind in _LOOKUPS:
        return Quantized(f"S8 {each.replace('channel', 'row')}, looked up")
    return Quantized(f"dynamic S8S8 {each}", True)


def _output(operator: Operator, graph: TfliteGraph) -> str:
    """The name of its first."""
    return graph.tensors[operator.outputs[0]].name if operator.outputs else ""
