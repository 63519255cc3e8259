"""Which heavy operators of a .tflite file compute on integers: read from the types of their tensors.

LiteRT's kernels are chosen by those types, on every CPU, so the file says it all.
"""

from collections import Counter
from pathlib import Path

from edgeq.graphs.tflite import Operator, TfliteGraph, read_tflite
from edgeq.nouns.fidelity import FusionAudit

HEAVY = (
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
_INTEGER = ("INT8", "UINT8", "INT16", "INT4")
_METHOD = "tensor types in the file"
_PLAIN = "16-bit activations run in plain loops, XNNPACK has no kernels for them"


def tflite_fusion(path: Path, *, dynamic: bool = False) -> tuple[FusionAudit, ...]:
    """`dynamic` counts the operators that quantize their float data as it comes."""
    counts = has_integer_weights if dynamic else computes_integers
    graph = read_tflite(path)
    pairs = sum(o.kind == "DEQUANTIZE" for o in graph.operators)
    pairs -= sum(
        o.kind == "DEQUANTIZE" and bool(set(o.outputs) & set(graph.outputs)) for o in graph.operators
    )
    total = Counter(o.kind for o in graph.operators if o.kind in HEAVY)
    integer = Counter(o.kind for o in graph.operators if o.kind in HEAVY and counts(o, graph))
    sixteen = any(graph.tensors[i].type == "INT16" for o in graph.operators for i in o.outputs)
    method = f"{_METHOD}: {_PLAIN}" if sixteen else _METHOD
    return tuple(FusionAudit(kind, integer[kind], n, pairs, method) for kind, n in sorted(total.items()))


def integer_operators(path: Path) -> frozenset[str]:
    """Names of the first outputs of the heavy operators that compute on integers."""
    graph = read_tflite(path)
    heavy = (o for o in graph.operators if o.kind in HEAVY and computes_integers(o, graph))
    return frozenset(graph.tensors[o.outputs[0]].name for o in heavy)


def computes_integers(operator: Operator, graph: TfliteGraph) -> bool:
    """Data in, weights and data out are integers. (Integer weights with float data would be weight-only or dynamic.)"""
    tensors = [graph.tensors[i] for i in (*operator.inputs[:2], *operator.outputs[:1])]
    return all(t.type in _INTEGER for t in tensors)


def has_integer_weights(operator: Operator, graph: TfliteGraph) -> bool:
    return any(graph.tensors[i].constant and graph.tensors[i].type in _INTEGER for i in operator.inputs[:2])
