"""Leaves the last layer in float, with the operators that pool or reshape its input, where they do next to no work.

A classifier's pooled features are few and have a wide range: quantizing them can cost more than all convolutions together
(ResNet-8: 32 dB with only that tensor quantized), and the layer behind them does a thousandth of the work.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import AVERAGES, MOVES_VALUES
from edgeq.graphs.tflite import kind_of, read_model
from edgeq.graphs.work import onnx_node_shares, tflite_operator_shares
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.evaluate.evaluator import (
    Outputs,
    graph_evaluator,
    mean_sqnr_db,
    noise_of,
    tflite_evaluator,
)
from edgeq.quantize.evaluate.pre_softmax_outputs import last_layers, tflite_pre_softmax
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.samples import SamplesLike, evenly_spaced

if TYPE_CHECKING:
    import onnx

_CLOSE_DB = 35.0  # outputs that are as close as this need no help
_WORTH_DB = 0.5  # what they have to gain
_SAMPLES = 128  # enough to tell candidates apart by tenths of a decibel
_WORK, _WEIGHTS = 0.02, 0.05  # shares of the whole model that may stay in float

_LIGHT = (*MOVES_VALUES, *AVERAGES, "Cast", "Dropout")
_TFLITE_LIGHT = ("AVERAGE_POOL_2D", "MEAN", "RESHAPE", "SQUEEZE", "SUM", "TRANSPOSE")


@dataclass(frozen=True)
class Head:
    """The nodes or operators that stay in float, and why."""

    in_float: dict[str, str]
    result: PassResult


NAME = "head"
_LARGE = Head({}, PassResult("head", False, "the last layer is not small"))


def run(q: Quantization, context: Context) -> Quantization:
    """After the fit: what the head loses is visible only next to fitted layers."""

    def write(leave: frozenset[str]) -> None:
        context.write(q, leave)

    samples, threads = context.calibration, context.threads
    found = (
        onnx_head_in_float(q.graph, context.path, write, samples, threads)
        if q.format == "onnx"
        else tflite_head_in_float(q.source, context.path, write, samples, threads)
    )
    return q.keep_in_float(found.in_float).result(found.result)


def onnx_head_in_float(
    model: "onnx.ModelProto",
    path: Path,
    write: Callable[[frozenset[str]], None],
    samples: SamplesLike,
    threads: int,
) -> Head:
    """By nodes; `write` writes the QDQ file at `path` with some nodes in float."""
    head = onnx_head(model)
    if not head:
        return _LARGE
    evaluator = graph_evaluator(model, evenly_spaced(samples, _SAMPLES), threads)

    def outputs(leave: frozenset[str]) -> Outputs:
        write(leave)
        return evaluator.run(read_onnx(path))

    return _worth_it(head, evaluator.reference, outputs(frozenset()), outputs(head))


def tflite_head_in_float(
    source: Path, path: Path, write: Callable[[frozenset[str]], None], samples: SamplesLike, threads: int
) -> Head:
    """The same for the .tflite at `path`, quantized from `source`; by the names of the operators' outputs."""

    head = tflite_head(source)
    if not head:
        return _LARGE
    evaluator = tflite_evaluator(source, evenly_spaced(samples, _SAMPLES), threads)

    def outputs(leave: frozenset[str]) -> Outputs:
        write(leave)
        return evaluator.run(path)

    return _worth_it(head, evaluator.reference, outputs(frozenset()), outputs(head))


def _worth_it(head: frozenset[str], reference: Outputs, quantized: Outputs, in_float: Outputs) -> Head:
    """By the noise that the quantized head adds to that of its input, which both files share. On the samples that the head was
    fitted to, its errors compensate some of the input's, so the outputs alone would favour int8.
    """
    after, own = (mean_sqnr_db(noise_of(*pair)) for pair in ((reference, in_float), (in_float, quantized)))
    gain = 10 * math.log10(1 + 10 ** ((after - own) / 10))
    before = after - gain
    if before >= _CLOSE_DB:
        return Head({}, PassResult("head", False, f"output SQNR is {before:.1f} dB without it"))
    if gain < _WORTH_DB:
        return Head({}, PassResult("head", False, f"in float the outputs gain less than {_WORTH_DB:g} dB"))
    why = f"under 2 % of MACs; output SQNR {before:.1f} dB in int8, {after:.1f} dB in float"
    return Head(
        dict.fromkeys(sorted(head), why),
        PassResult("head", True, counted(len(head), "operator"), round(gain, 1)),
    )


def onnx_head(model: "onnx.ModelProto") -> frozenset[str]:
    """Names of nodes; empty where the last layer is not small. `model` has inferred shapes."""
    index = index_of(model.graph)
    by_name = {node.name: node for node in index.nodes}
    shares = onnx_node_shares(model)
    head: set[str] = set()
    for name in last_layers(model):
        if _is_small(shares.get(name)):
            node: onnx.NodeProto | None = by_name[name]
            while node is not None:
                head.add(node.name)
                producer = index.producer(node.input[0])
                node = producer if producer is not None and producer.op_type in _LIGHT else None
    return frozenset(head)


def tflite_head(path: Path) -> frozenset[str]:
    """Names of the operators' outputs, as the emitter takes them."""
    model = read_model(path)
    graph = model.subgraphs[0]
    maker = {int(t): o for o in graph.operators for t in o.outputs}
    shares = tflite_operator_shares(path)
    head: set[str] = set()
    for last in tflite_pre_softmax(model):
        tensor = last
        if _is_small(shares.get(graph.tensors[tensor].name.decode())):
            while tensor == last or (tensor in maker and kind_of(model, maker[tensor]) in _TFLITE_LIGHT):
                head.add(graph.tensors[tensor].name.decode())
                tensor = int(maker[tensor].inputs[0])
    return frozenset(head)


def _is_small(shares: tuple[float, float] | None) -> bool:
    return shares is not None and shares[0] <= _WORK and shares[1] <= _WEIGHTS
