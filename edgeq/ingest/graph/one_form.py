"""Rewrites equivalent forms of an operator's inputs into the one that quantizers read.

Optional inputs at the end that are left out with an empty name go, and what a Gemm adds is a bias of one value per
output, or an Add behind it. The values stay what they are.
"""

from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_edit import copied, free_name, set_nodes
from edgeq.graphs.onnx_index import OnnxIndex, index_of, model_nodes, tensor_names

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto


def in_one_form(model: "ModelProto") -> "ModelProto":
    """A copy in which every Gemm that adds a constant adds a vector; `model` itself where nothing is written otherwise."""
    if not _is_written_otherwise(model):
        return model
    copy = copied(model)
    changed = sum(_drop_empty(node) for node in model_nodes(copy))
    index = index_of(copy.graph)
    taken = tensor_names(copy) | {node.name for node in copy.graph.node}
    behind: dict[str, NodeProto] = {}
    for node in [n for n in copy.graph.node if _adds_otherwise(n, index)]:
        addend, width = index.constants[node.input[2]], _width(node, index)
        assert width is not None
        changed += 1
        if len(addend.dims) < 2 or addend.dims[0] == 1:
            node.input[2] = _stored(copy, _vector(addend, width), f"{node.output[0]}_bias", taken)
        else:
            add = _add_behind(copy, node, addend, taken)
            behind[add.input[0]] = add
    if behind:
        ordered = [n for node in copy.graph.node for n in (node, behind.get(node.output[0])) if n is not None]
        set_nodes(copy.graph, ordered)
    return copy if changed else model


def _is_written_otherwise(model: "ModelProto") -> bool:
    """Else nothing is copied."""
    index = index_of(model.graph)
    if any(_adds_otherwise(node, index) for node in index.nodes):
        return True
    return any(node.input and not node.input[-1] for node in model_nodes(model))


def _adds_otherwise(node: "NodeProto", index: OnnxIndex) -> bool:
    """Whether it is a Gemm that adds a constant of another form than one value per output."""
    if node.op_type != "Gemm" or len(node.input) != 3:
        return False
    addend, width = index.constant(node.input[2]), _width(node, index)
    return addend is not None and width is not None and tuple(addend.dims) != (width,)


def _drop_empty(node: "NodeProto") -> bool:
    """Without the empty names at the end of its inputs."""
    kept = list(node.input)
    while kept and not kept[-1]:
        kept.pop()
    if len(kept) == len(node.input):
        return False
    del node.input[:]
    node.input.extend(kept)
    return True


def _width(node: "NodeProto", index: OnnxIndex) -> int | None:
    """How many values each row of the result has, where the second factor is stored."""
    weight = index.initializer(node.input[1])
    if weight is None or len(weight.dims) != 2:
        return None
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return int(weight.dims[0 if transposed else 1])


def _vector(addend: "TensorProto", width: int) -> np.ndarray:
    from onnx import numpy_helper

    return np.ascontiguousarray(np.broadcast_to(numpy_helper.to_array(addend).reshape(-1), width))


def _stored(model: "ModelProto", values: np.ndarray, name: str, taken: set[str]) -> str:
    from onnx import numpy_helper

    name = free_name(name, taken)
    model.graph.initializer.append(numpy_helper.from_array(values, name))
    return name


def _add_behind(
    model: "ModelProto", node: "NodeProto", addend: "TensorProto", taken: set[str]
) -> "NodeProto":
    """An Add of beta C, to stand behind `node`, which no longer adds it: the bias of a quantized product has one value per
    output.
    """
    from onnx import helper, numpy_helper

    beta = next((a for a in node.attribute if a.name == "beta"), None)
    values = numpy_helper.to_array(addend)
    if beta is not None:
        values = (values * values.dtype.type(beta.f)).astype(values.dtype)
        node.attribute.remove(beta)
    result, product = node.output[0], free_name(f"{node.output[0]}_product", taken)
    added = _stored(model, values, f"{result}_addend", taken)
    del node.input[2:]
    node.output[0] = product
    return helper.make_node("Add", [product, added], [result], free_name(f"{node.name or result}_add", taken))
