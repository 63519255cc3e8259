"""Why a static candidate is as it is, layer by layer: what was decided, what is lost where and why, what was done about it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import Scheme

from .audit.fusion import integer_nodes
from .audit.layer_errors import LayerError, onnx_layer_errors, tflite_layer_errors
from .audit.tflite_fusion import integer_operators
from .equalize import as_in
from .float_graph import read
from .graph_work import onnx_node_shares, tflite_operator_shares
from .host_run import Progress
from .pair_sums import overflowing_by_node
from .samples_like import SamplesLike
from .tflite_file import read as read_tflite


def explain(
    source: Path,
    quantized: Path,
    format: str,
    scheme: Scheme,
    fidelity: Fidelity,
    samples: SamplesLike,
    *,
    saturates: bool,
    threads: int,
    progress: Progress,
) -> tuple[LayerExplained, ...]:
    """The operators with weights, in the order in which they run. `source` is the float file, `quantized` made from it.

    `saturates`: the target's CPU adds pairs of products in 16 bits. Raises ConversionFailed when a file does not run.
    """
    if format == "onnx":
        model: Any = as_in(read(source), quantized)
        shares = onnx_node_shares(model)
        kinds = {n.name: n.op_type for n in model.graph.node}
        errors = onnx_layer_errors(model, quantized, samples, threads=threads, progress=progress)
        integer = integer_nodes(quantized, scheme)
        overflows = overflowing_by_node(quantized) if saturates else {}
    else:
        graph = read_tflite(source)
        shares = tflite_operator_shares(source)
        kinds = {graph.tensors[o.outputs[0]].name: o.kind for o in graph.operators}
        errors = tflite_layer_errors(source, quantized, samples, threads=threads, progress=progress)
        integer, overflows = integer_operators(quantized), {}
    told = _told(fidelity)
    layers = []
    for name, (work, _) in shares.items():
        plain = LayerExplained(
            layer=name,
            operator=kinds.get(name, ""),
            work=work,
            scheme="float",
            why_float=_why(name, fidelity),
            integer=name in integer,
            remedies=told.get(name, ()),
        )
        layers.append(_quantized(plain, str(scheme), errors.get(name), overflows.get(name)))
    return tuple(layers)


def _quantized(
    layer: LayerExplained, scheme: str, error: LayerError | None, overflows: int | None
) -> LayerExplained:
    if error is None:
        # Weights that several layers share, or two operands that change: integers, of which no error is computed.
        return replace(layer, scheme=scheme, why_float="", overflows=overflows) if layer.integer else layer
    return replace(
        layer,
        scheme=scheme,
        why_float="",
        overflows=overflows,
        low=_rounded(error.low),
        high=_rounded(error.high),
        error=_rounded(error.error),
        clipping=_rounded(error.clipping),
        rounding=_rounded(error.rounding),
        weights=_rounded(error.weights),
        bias_shift=_rounded(error.bias_shift),
    )


def _rounded(value: float) -> float:
    """Six significant digits: the rest is noise, and differs between machines."""
    return float(f"{value:.6g}")


def _told(fidelity: Fidelity) -> Mapping[str, tuple[str, ...]]:
    """What was done to each layer."""
    told: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for remedy in fidelity.remedies:
        told[remedy.what] += (remedy.how,)
    return told


def _why(name: str, fidelity: Fidelity) -> str:
    """The reason that is given for this node, or for the group in which it is named."""
    exact = [s.reason for s in fidelity.float_layers if s.what == name]
    named = [s.reason for s in fidelity.float_layers if name in s.what]
    return next(iter((*exact, *named)), "its weights are not fixed, or no kernel takes them in integers")
