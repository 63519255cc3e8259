"""An ONNX graph that is known to load, as a FloatModel: onnxruntime runs it, or only its first layers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_index import has_body, index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import MOVES_VALUES, STATIC
from edgeq.graphs.ort_session import Session, ort_session
from edgeq.graphs.stages import part_of, untyped
from edgeq.ingest.float_model import (
    THREADS,
    Arrays,
    FirstLayer,
    FirstLayers,
    FirstNorm,
    FloatModel,
    is_informative,
    of_channels,
)
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_FAILED = "the model does not run on this host's runtime"
# What only scales, shifts or moves the input on its way to the first layer.
_PASSES = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Cast",
    "Clip",
    "Concat",
    "Gather",
    "Pad",
    "Resize",
    "Slice",
    *MOVES_VALUES,
)


def float_model(
    file: Path, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], *, quantized: bool
) -> FloatModel:
    """`file` holds the clean graph. Its session is made when it is first asked."""
    sessions: list[Session] = []

    def answers(samples: Sequence[Arrays]) -> list[Arrays]:
        with as_conversion_failed(_FAILED):
            if not sessions:
                sessions.append(ort_session(file, threads=THREADS))
            return [_run(sessions[0], sample) for sample in samples]

    def first_layers(samples: Sequence[Arrays]) -> FirstLayers:
        with as_conversion_failed(_FAILED):
            return _first_layers(file, samples)

    return FloatModel(inputs, tuple(o.name for o in outputs), answers, first_layers, quantized, file)


def _run(session: Session, sample: Arrays) -> Arrays:
    names = [i.name for i in session.get_inputs()]
    return tuple(np.asarray(o) for o in session.run(None, dict(zip(names, sample, strict=True))))


def _first_layers(file: Path, samples: Sequence[Arrays]) -> FirstLayers:
    # Weights of more than 2 GB stay in files of their own, and none is read for this.
    graph = _Graph(read_onnx(file, weights=False))
    layer, norm = graph.first_layer(), graph.first_norm()
    wanted = [name for name in (layer and layer[0], norm and norm.input[0]) if name]
    beginning = graph.up_to(wanted)
    if not wanted or beginning is None:
        return FirstLayers()
    session = ort_session(beginning, threads=THREADS, optimize=False)
    asked = {i.name for i in session.get_inputs()}
    names = [i.name for i in graph.inputs]
    found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for sample in samples:
        feed = {n: a for n, a in zip(names, sample, strict=True) if n in asked}
        for name, value in zip(found, session.run(list(found), feed), strict=True):
            found[name].append(np.asarray(value))
    return FirstLayers(
        None if layer is None else _layer(found[layer[0]], layer[1]),
        None
        if norm is None
        else _norm(found[norm.input[0]], [graph.weight(n) for n in norm.input[3:5]], norm),
    )


def _layer(values: list[np.ndarray], bias: np.ndarray) -> FirstLayer | None:
    axis = 1 if values[0].ndim > 2 and values[0].shape[1] == bias.size else values[0].ndim - 1
    if values[0].shape[axis] != bias.size:
        return None
    return FirstLayer(*of_channels(values, axis), bias.reshape(-1).astype(np.float64))


def _norm(values: list[np.ndarray], trained: list[np.ndarray | None], node: "NodeProto") -> FirstNorm | None:
    mean, variance = trained
    if mean is None or variance is None or not is_informative(mean, variance):
        return None
    epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
    spread = np.sqrt(variance.astype(np.float64) + epsilon)
    return FirstNorm(*of_channels(values, 1), mean.astype(np.float64), spread)


class _Graph:
    """The beginning of a graph, of its main level alone."""

    def __init__(self, proto: "ModelProto") -> None:
        self._proto, self._index = proto, index_of(proto.graph)
        self.inputs = [i for i in proto.graph.input if self._index.initializer(i.name) is None]

    def weight(self, name: str) -> "np.ndarray | None":
        """Also of a Constant node: Paddle's exporter writes every weight as one."""
        from onnx import numpy_helper

        found = self._index.constant(name)
        if found is None or found.data_location == found.EXTERNAL:
            return None
        return np.asarray(numpy_helper.to_array(found))

    def first_layer(self) -> "tuple[str, np.ndarray] | None":
        """The tensor that the first convolution or product gives, and its bias; None without a bias, which is what tells."""
        reached = {i.name for i in self.inputs}
        for node in self._index.nodes:
            data = next((n for n in node.input[:1] if n in reached), None)
            if node.op_type in STATIC and data is not None:
                return self._with_bias(node)
            if node.op_type in _PASSES and any(n in reached for n in node.input):
                reached.update(node.output)
        return None

    def _with_bias(self, node: "NodeProto") -> "tuple[str, np.ndarray] | None":
        if node.op_type != "MatMul" and len(node.input) > 2 and node.input[2]:
            bias = self.weight(node.input[2])
            return None if bias is None else (node.output[0], bias)
        users = self._index.consumers(node.output[0])
        if len(users) != 1 or users[0].op_type != "Add":
            return None
        other = next(n for n in users[0].input if n != node.output[0])
        bias = self.weight(other)
        return None if bias is None or bias.size < 2 else (users[0].output[0], bias)

    def first_norm(self) -> "NodeProto | None":
        nodes = self._index.nodes
        return next((n for n in nodes if n.op_type == "BatchNormalization" and len(n.output) == 1), None)

    def up_to(self, names: list[str]) -> "ModelProto | None":
        """The part of the graph that makes `names`; None where it has bodies or weights outside the file."""
        nodes = self._index.ancestors(names)
        used = {name for node in nodes for name in node.input}
        inputs = [i for i in self.inputs if i.name in used]
        part = part_of(self._proto, nodes, inputs, [untyped(name) for name in names])
        outside = any(t.data_location == t.EXTERNAL for t in part.graph.initializer)
        return None if outside or any(map(has_body, nodes)) else part
