"""Which tensors of a .tflite graph are tensors of its ONNX twin: the two have other names, layouts and fusions, so they
are found by their values on one sample.

A tensor of the one is a tensor of the other where some order of its axes has the same values. What only moves elements
makes no new tensor. Values that say nothing (constants), or that several tensors have, match nothing: that would be luck.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path

import numpy as np

from edgeq.foreign import translated
from edgeq.graphs.op_sets import MOVES_VALUES
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import untyped
from edgeq.graphs.tflite import TfliteGraph, read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.limited.native_call import native_call
from edgeq.nouns.explanation import TensorMatches
from edgeq.nouns.plan import Skipped
from edgeq.quantize.float_graph import read as read_onnx
from edgeq.quantize.samples import Array

_SAME = 1e-3  # of the norm, that the difference may have: kernels add in another order
_ONNX_MOVES = (*MOVES_VALUES, "Dropout")
_TFLITE_MOVES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE", "TRANSPOSE")
_MOST_AXES = 5

_CONSTANT = "all its values are equal, so it cannot be matched"
_SEVERAL = "several tensors of the ONNX graph have these values"
_SHARED = "several tensors of the .tflite graph have these values"
_NONE = "no tensor of the ONNX graph has these values"


def partners(onnx_path: Path, tflite_path: Path, sample: tuple[Array, ...]) -> TensorMatches:
    """Of the float activations that operators of the .tflite file make. Raises ConversionFailed where a file does not run."""
    graph = read_tflite(tflite_path)
    here, there = _tflite_values(tflite_path, sample), _onnx_values(onnx_path, sample)
    roots = _tflite_roots(graph)
    members = defaultdict(list)
    for name in here:
        members[roots.get(name, name)].append(name)
    found = {root: _matches([here[n] for n in names], there) for root, names in members.items()}
    reasons = {root: _why_none(here[names[0]], found[root]) for root, names in members.items()}
    taken: dict[str, list[str]] = defaultdict(list)
    for root, why in reasons.items():
        if not why:
            taken[next(iter(found[root]))].append(root)
    for root in (r for several in taken.values() if len(several) > 1 for r in several):
        reasons[root] = _SHARED
    told = {name: reasons[root] for root, names in members.items() for name in names}
    kinds = {graph.tensors[i].name: op.kind for op in graph.operators for i in op.outputs}
    without = tuple(Skipped(f"{kinds[name]}: {name}", told[name]) for name in here if told[name])
    return TensorMatches(len(here), len(here) - len(without), without)


def _why_none(array: Array, matches: set[str]) -> str:
    """Empty for exactly one partner."""
    if array.size == 0 or array.min() == array.max():
        return _CONSTANT
    return "" if len(matches) == 1 else _SEVERAL if matches else _NONE


def _matches(arrays: Iterable[Array], there: Mapping[str, tuple[str, Array]]) -> set[str]:
    """Roots of the ONNX tensors that have the values of one of `arrays`, all of which have the same in some order."""
    return {root for array in arrays for root, other in there.values() if _same(array, other)}


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


def _tflite_values(path: Path, sample: tuple[Array, ...]) -> dict[str, Array]:
    interpreter = interpreter_of(path, 1, keep_all=True)
    feed(interpreter, sample)
    with translated("the float .tflite does not run on a sample"):
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


def _onnx_values(path: Path, sample: tuple[Array, ...]) -> dict[str, tuple[str, Array]]:
    """By tensor: the one whose elements it only moves, and its values; the graph's inputs among them."""
    model = read_onnx(path)
    nodes = [n for n in model.graph.node if n.op_type != "Constant"]
    roots: dict[str, str] = {}
    for node in nodes:
        if node.op_type in _ONNX_MOVES:
            roots[node.output[0]] = roots.get(node.input[0], node.input[0])
    known = {o.name for o in model.graph.output}
    names = [name for node in nodes for name in node.output if name]
    model.graph.output.extend(untyped(name) for name in names if name not in known)
    with translated("the float ONNX graph does not run with all its tensors as outputs"):
        session = ort_session(model, threads=1)
        inputs = dict(zip((i.name for i in session.get_inputs()), sample, strict=True))
        outputs = zip(names, session.run(names, inputs), strict=True)
    arrays = {n: a for n, a in (*inputs.items(), *outputs) if isinstance(a, np.ndarray)}
    return {n: (roots.get(n, n), a) for n, a in arrays.items() if a.dtype == np.float32}
