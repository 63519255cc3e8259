"""Leaves the last layer in float, with the operators that pool or reshape its input, where they do next to no work.

A classifier's pooled features are few and have a wide range: quantizing them can cost more than all convolutions together
(ResNet-8: 32 dB with only that tensor quantized), and the layer behind them has a thousandth of the MACs.

It costs a conversion and float kernels. Measured on a CPU with VNNI, one thread: keyword spotting on onnxruntime takes 2 to 4 % longer
for 0.4 dB, and up to 1 % on LiteRT for 0.3 dB; ResNet-8 (7 and 6 dB), ResNet-20 and ResNet-56 (0.3 to 0.7 dB) within 1.5 % as long. So
the least gain that is worth it depends on the runtime.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.graphs.macs import onnx_node_shares, tflite_operator_shares
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import AVERAGES, MOVES_VALUES
from edgeq.graphs.tflite import kind_of, producers_of, read_model
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.effort import EFFORTS, left_out
from edgeq.quantize.evaluate.evaluator import (
    Noise,
    gain_of,
    graph_evaluator,
    mean_sqnr_db,
    tflite_evaluator,
)
from edgeq.quantize.evaluate.pre_softmax_outputs import last_layers, tflite_pre_softmax
from edgeq.quantize.quantization import Context, Quantization

if TYPE_CHECKING:
    import onnx

_CLOSE_DB = 35.0  # outputs that are as close as this need no help
_WORTH_DB = {"onnx": 0.3, "tflite": 0.0}  # with 0 any gain is
_MACS, _WEIGHTS = 0.02, 0.05  # shares of the whole model that may stay in float

_LIGHT = (*MOVES_VALUES, *AVERAGES, "Cast", "Dropout")
_TFLITE_LIGHT = ("AVERAGE_POOL_2D", "MEAN", "RESHAPE", "SQUEEZE", "SUM", "TRANSPOSE")

NAME = "head"
STAGE = "try the last layer in float"


def run(q: Quantization, context: Context) -> Quantization:
    """After the fit: what the head loses is visible only next to fitted layers."""
    if not EFFORTS[context.options.effort].head:
        return q.with_result(PassResult(NAME, False, left_out(context.options.effort)))
    head = onnx_head(q.graph) if q.format == "onnx" else tflite_head(q.source)
    if not head:
        return q.with_result(PassResult(NAME, False, "the last layer is not small"))
    before, after = _noises(q, (frozenset(), head), context)
    before_db, after_db, gain = mean_sqnr_db(before), mean_sqnr_db(after), gain_of(before, after)
    if before_db >= _CLOSE_DB:
        return q.with_result(PassResult(NAME, False, f"output SQNR is {before_db:.1f} dB without it"))
    if not gain.reaches(worth := _WORTH_DB[q.format]):
        why = f"in float the outputs do not gain {worth} dB" if worth else "in float the outputs do not gain"
        return q.with_result(PassResult(NAME, False, why, round(gain.db, 1)))
    why = f"under 2 % of MACs; output SQNR {before_db:.1f} dB in int8, {after_db:.1f} dB in float"
    result = PassResult(NAME, True, counted(len(head), "operator"), round(gain.db, 1))
    return q.keep_in_float(dict.fromkeys(sorted(head), why)).with_result(result)


def _noises(q: Quantization, choices: Sequence[frozenset[str]], context: Context) -> list[Noise]:
    """With the nodes of each choice in float, on samples that no layer was fitted to: on others the errors of a fitted head
    compensate some of its input's.
    """
    check, threads = context.split.check, context.threads
    if q.format == "onnx":
        graphs = graph_evaluator(q.graph, check, threads, q.float_outputs)
        return [graphs.noise(read_onnx(context.write(q, in_float).path)) for in_float in choices]
    files = tflite_evaluator(q.source, check, threads)
    return [files.noise(context.write(q, in_float).path) for in_float in choices]


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
    maker = producers_of(graph)
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
    return shares is not None and shares[0] <= _MACS and shares[1] <= _WEIGHTS
