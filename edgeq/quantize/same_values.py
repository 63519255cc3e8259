"""Tensors of an ONNX graph and of the .tflite graph converted from it that have the same values on one sample.

Names, layouts and fusions differ, so it is values that tell: two tensors match where some order of the axes gives the same ones.
Operators that only move elements make no new tensor.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path

import numpy as np

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.float_graph import read as read_float
from edgeq.graphs.op_sets import MOVES_VALUES
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import untyped
from edgeq.graphs.tflite import TfliteGraph, read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.limited.native_call import native_call
from edgeq.quantize.samples import Array

_SAME = 1e-3  # of the norm, that the difference may have: kernels add in another order
_MOST_AXES = 5
_ONNX_MOVES = (*MOVES_VALUES, "Dropout")
_TFLITE_MOVES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE")


def same_values(onnx_path: Path, tflite_path: Path, sample: tuple[Array, ...]) -> dict[str, frozenset[str]]:
    """By float activation of the .tflite file, its inputs too: all tensors of the ONNX graph that have its values, moved or not.
    None of them where all values are equal. Raises ConversionFailed where a file does not run.
    """
    graph = read_tflite(tflite_path)
    tflite, onnx = tflite_values(tflite_path, sample), onnx_values(onnx_path, sample)
    of_root = defaultdict(set)
    for other, (root, _) in onnx.items():
        of_root[root].add(other)
    found: dict[str, frozenset[str]] = {}
    for position, name in zip(graph.inputs, onnx, strict=False):  # the graph's inputs come first in both
        found[graph.tensors[position].name] = frozenset(of_root[onnx[name][0]])
    for names in by_root(graph, tflite).values():
        arrays = [tflite[name] for name in names if tflite[name].size and float(np.ptp(tflite[name])) > 0]
        same = frozenset(other for root in matches(arrays, onnx) for other in of_root[root])
        found.update(dict.fromkeys(names, same))
    return found


def by_root(graph: TfliteGraph, tensors: Iterable[str]) -> dict[str, list[str]]:
    roots = _tflite_roots(graph)
    members = defaultdict(list)
    for name in tensors:
        members[roots.get(name, name)].append(name)
    return members


def matches(arrays: Iterable[Array], onnx: Mapping[str, tuple[str, Array]]) -> set[str]:
    """Roots of the ONNX tensors that have the values of one of `arrays`, all of which have the same in some order."""
    return {root for array in arrays for root, other in onnx.values() if _same(array, other)}


def _same(array: Array, other: Array) -> bool:
    """In some order of the axes that are longer than one."""
    length, wanted = float(np.linalg.norm(array)), float(np.linalg.norm(other))
    if array.size != other.size or abs(length - wanted) > _SAME * wanted:
        return False
    flat, squeezed = other.ravel(), array.squeeze()
    own = tuple(range(squeezed.ndim))
    orders = permutations(own) if len(own) <= _MOST_AXES else (own,)
    moved = (np.subtract(squeezed.transpose(order).ravel(), flat, dtype=np.float32) for order in orders)
    return any(float(np.linalg.norm(difference)) <= _SAME * wanted for difference in moved)


def tflite_values(path: Path, sample: tuple[Array, ...]) -> dict[str, Array]:
    interpreter = interpreter_of(path, 1, keep_all=True)
    feed(interpreter, sample)
    with as_conversion_failed("the float .tflite does not run on a sample"):
        native_call(interpreter.invoke)
    written = {int(i) for op in interpreter._get_ops_details() for i in op["outputs"]}
    return {
        d["name"]: np.array(interpreter.get_tensor(d["index"]))
        for d in interpreter.get_tensor_details()
        if d["index"] in written and d["dtype"] is np.float32 and d["name"]
    }


def _tflite_roots(graph: TfliteGraph) -> dict[str, str]:
    """By tensor, the one whose elements it only moves."""
    roots: dict[str, str] = {}
    for op in graph.operators:
        if op.kind in _TFLITE_MOVES and op.inputs:
            before = graph.tensors[op.inputs[0]].name
            roots[graph.tensors[op.outputs[0]].name] = roots.get(before, before)
    return roots


def onnx_values(path: Path, sample: tuple[Array, ...]) -> dict[str, tuple[str, Array]]:
    """By tensor: the one whose elements it only moves, and its values; the graph's inputs among them."""
    model = read_float(path)
    nodes = [n for n in model.graph.node if n.op_type != "Constant"]
    roots: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _ONNX_MOVES:
            roots[node.output[0]] = roots.get(node.input[0], node.input[0])
    known = {o.name for o in model.graph.output}
    names = [name for node in nodes for name in node.output if name]
    model.graph.output.extend(untyped(name) for name in names if name not in known)
    with as_conversion_failed("the float ONNX graph does not run with all its tensors as outputs"):
        session = ort_session(model, threads=1)
        inputs = dict(zip((i.name for i in session.get_inputs()), sample, strict=True))
        outputs = zip(names, session.run(names, inputs), strict=True)
    arrays = {n: a for n, a in (*inputs.items(), *outputs) if isinstance(a, np.ndarray)}
    return {n: (roots.get(n, n), a) for n, a in arrays.items() if a.dtype == np.float32}
