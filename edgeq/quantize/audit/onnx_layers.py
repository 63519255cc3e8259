"""The layers of an ONNX candidate: how each was quantized, which kernel takes it, what that costs at its output."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.detect_scheme import Written, written_scheme
from edgeq.quantize.audit.kernels import integer_nodes
from edgeq.quantize.audit.layer_error import LayerError
from edgeq.quantize.audit.layer_errors import onnx_layer_errors
from edgeq.quantize.audit.layer_matching import Counterpart, Twins
from edgeq.quantize.audit.output_errors import NOT_TAKEN, OutputErrors, onnx_output_errors
from edgeq.quantize.audit.quantized_layer import FLOAT, SeenLayer
from edgeq.quantize.audit.weighted_layers import WeightedLayer, graphs_by_path, weighted_layers
from edgeq.quantize.float_graph import read
from edgeq.quantize.passes.equalize import as_in
from edgeq.quantize.passes.int16_saturation import saturating_pairs
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sized import largest, sized

if TYPE_CHECKING:
    from onnx import ModelProto

_ELSEWHERE = "the file has no tensor of its output's name"


def onnx_static_layers(
    source: Path,
    path: Path,
    scheme: Scheme,
    samples: SamplesLike,
    *,
    saturates: bool,
    threads: int,
    progress: Progress,
) -> tuple[SeenLayer, ...]:
    """Of a QDQ file at `path`. `saturates`: the target's CPU adds pairs of products in 16 bits."""
    model = as_in(read(source), path)
    layers, pairs = _layers(model, samples), _Pairs(model, path)
    products = onnx_layer_errors(model, path, samples, threads=threads, progress=progress)
    integer = integer_nodes(path, scheme)
    written = {
        layer.name: Written(str(scheme), layer.name in integer)
        for layer in layers
        if layer.name in products or pairs.takes_integers(layer)
    }
    rest = [layer for layer in layers if layer.name in written.keys() - products.keys()]
    outputs = onnx_output_errors(model, path, rest, samples, threads=threads, progress=progress)
    outputs = OutputErrors({**_whole(outputs.found), **products}, outputs.why_not)
    overflows = saturating_pairs(path) if saturates else {}
    return tuple(
        replace(layer, overflows=overflows.get(layer.name) if layer.quantized else None)
        for layer in _seen(layers, pairs, written, outputs)
    )


def onnx_other_layers(
    source: Path, path: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[SeenLayer, ...]:
    """Of a file at `path` without fixed ranges: int8 as it comes, weights in blocks, tables in 8 bits, float16."""
    model = read(source)
    layers, pairs = _layers(model, samples), _Pairs(model, path)
    found = {layer.name: pairs.written(layer) for layer in layers}
    written = {name: w for name, w in found.items() if w.scheme != FLOAT}
    quantized = [layer for layer in layers if layer.name in written]
    outputs = onnx_output_errors(model, path, quantized, samples, threads=threads, progress=progress)
    half = {name: e for name, e in outputs.found.items() if written[name].scheme == "float16"}
    return _seen(layers, pairs, written, replace(outputs, found={**outputs.found, **_whole(half)}))


def _layers(model: "ModelProto", samples: SamplesLike) -> tuple[WeightedLayer, ...]:
    """With the work of inputs as large as those of the samples, where the graph leaves that open."""
    return weighted_layers(sized(copied(model), largest(model, samples)))


def _whole(errors: Mapping[str, LayerError]) -> dict[str, LayerError]:
    """Without parts that cannot be told apart: weights and inputs are rounded alike."""
    return {name: replace(error, weights=None, rounding=None) for name, error in errors.items()}


def _seen(
    layers: Sequence[WeightedLayer], pairs: "_Pairs", written: Mapping[str, Written], outputs: OutputErrors
) -> tuple[SeenLayer, ...]:
    run = [layer for layer in layers if outputs.why_not.get(layer.name) != NOT_TAKEN]
    total = max(sum(layer.macs for layer in run), 1)
    found = []
    for layer in layers:
        how = written.get(layer.name, Written(FLOAT, False))
        error = outputs.found.get(layer.name)
        why_not = "" if error or how.scheme == FLOAT else outputs.why_not.get(layer.name, _ELSEWHERE)
        found.append(
            SeenLayer(
                layer.name,
                layer.kind,
                layer.macs / total if layer in run else 0.0,
                how.scheme,
                how.integer,
                layer.inside,
                error,
                why_not,
                around=pairs.around(layer),
            )
        )
    return tuple(found)


class _Pairs:
    """The graphs of `model` and of the file at `path` that was made from it, and what stands for a layer there."""

    def __init__(self, model: "ModelProto", path: Path) -> None:
        file = read_onnx(path)
        files = graphs_by_path(file.graph)
        self._twins = {
            where: Twins(graph, files[where]) if where in files else None
            for where, graph in graphs_by_path(model.graph).items()
        }
        scopes = index_of(file.graph).scopes()
        self._constants = {name: t for scope in scopes for name, t in scope.constants.items()}

    def written(self, layer: WeightedLayer) -> Written:
        part = self._part(layer)
        if part is None:
            return Written(FLOAT, False)
        return written_scheme(layer.kind, part.nodes, self._constants)

    def takes_integers(self, layer: WeightedLayer) -> bool:
        """Whether both operands come from a DequantizeLinear."""
        twins = self._twins[layer.path]
        node = None if twins is None else twins.node(layer)
        if twins is None or node is None:
            return False
        fed = [twins.index.producer(name) for name in node.input[:2]]
        return all(maker is not None and maker.op_type == "DequantizeLinear" for maker in fed)

    def around(self, layer: WeightedLayer) -> frozenset[str]:
        twins = self._twins[layer.path]
        part = None if twins is None else twins.counterpart(layer)
        if twins is None or part is None:
            return frozenset()
        makers = {name: twins.index.producer(name) for name in part.fed}
        before = [maker for maker in makers.values() if maker is not None]
        inputs = (f"input {name}" for name, maker in makers.items() if maker is None)
        return frozenset([*(f"{node.op_type}: {node.name}" for node in (*part.nodes, *before)), *inputs])

    def _part(self, layer: WeightedLayer) -> Counterpart | None:
        twins = self._twins[layer.path]
        return None if twins is None else twins.counterpart(layer)
