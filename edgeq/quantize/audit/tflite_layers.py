"""The layers of a .tflite candidate: how each was quantized, which kernel takes it, what that costs at its output."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.graphs.tflite import Operator, TfliteGraph, read_model, read_tflite
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.layer_error import LayerError
from edgeq.quantize.audit.layer_errors import layer_errors
from edgeq.quantize.audit.quantized_layer import FLOAT, SeenLayer
from edgeq.quantize.audit.tflite_kernels import computes_integers, has_integer_weights
from edgeq.quantize.audit.tflite_output_errors import PLACES, tflite_output_errors
from edgeq.quantize.graph_work import tflite_operator_shares
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

_LOOKUPS = ("EMBEDDING_LOOKUP", "GATHER")
_UNKNOWN = "its weights are no fixed integers of its own"


def tflite_static_layers(
    source: Path, path: Path, scheme: Scheme, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[SeenLayer, ...]:
    """Of a file with fixed ranges."""
    levels = 2**16 if scheme.activations == "int16" else 2**8
    file = TfliteFile(source, path)
    errors = layer_errors(file, samples, threads=threads, progress=progress, levels=levels)
    graph = read_tflite(path)
    integer = {_name(op, graph): str(scheme) for op in graph.operators if computes_integers(op, graph)}
    return _seen(source, {**dict.fromkeys(errors, str(scheme)), **integer}, set(integer), errors)


def tflite_dynamic_layers(
    source: Path, path: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> tuple[SeenLayer, ...]:
    """Of a file whose activations are quantized as they come."""
    errors = tflite_output_errors(source, path, samples, threads=threads, progress=progress)
    graph = read_tflite(path)
    weighted = [op for op in graph.operators if op.kind in PLACES and has_integer_weights(op, graph)]
    touched = {_name(op, graph): op for op in weighted}
    tensors = read_model(path).subgraphs[0].tensors
    schemes = {name: _words(op, tensors[op.inputs[PLACES[op.kind][1]]]) for name, op in touched.items()}
    return _seen(source, schemes, {n for n, op in touched.items() if op.kind not in _LOOKUPS}, errors)


def _words(operator: Operator, weights: Any) -> str:
    """`weights`: the flatbuffer's tensor."""
    each = "per channel" if len(weights.quantization.scale) > 1 else "per tensor"
    if operator.kind in _LOOKUPS:
        return f"S8 {each.replace('channel', 'row')}, looked up"
    return f"dynamic S8S8 {each}"


def _seen(
    source: Path, schemes: Mapping[str, str], integer: set[str], errors: Mapping[str, LayerError]
) -> tuple[SeenLayer, ...]:
    graph, shares = read_tflite(source), tflite_operator_shares(source)
    found = []
    for op in graph.operators:
        name = _name(op, graph)
        if name not in shares and not (op.kind in PLACES and name in schemes):
            continue
        scheme = schemes.get(name, FLOAT)
        found.append(
            SeenLayer(
                name,
                op.kind,
                shares[name][0] if name in shares else 0.0,
                scheme,
                name in integer,
                error=errors.get(name),
                unmeasured="" if name in errors or scheme == FLOAT else _UNKNOWN,
            )
        )
    return tuple(found)


def _name(operator: Operator, graph: TfliteGraph) -> str:
    return graph.tensors[operator.outputs[0]].name if operator.outputs else ""
