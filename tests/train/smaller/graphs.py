"""Graphs in ONNX's text form, with random weights: `w` [...] is declared where it is used."""

import re

import numpy as np
import onnx
from onnx import helper, numpy_helper, parser

from edgeq.graphs.weightless import infer_shapes


def graph(text: str, *, seed: int = 0) -> onnx.ModelProto:
    """`text`: inputs, outputs and nodes. A name such as `a[8,3,3,3]` is a stored tensor of that shape, `a[8]` likewise."""
    random = np.random.default_rng(seed)
    shapes = {
        name: tuple(map(int, dims.split(",")))
        for name, dims in re.findall(r"(\w+)\[([\d,]+)\](?! \w)", _body(text))
    }
    bare = _head(text) + re.sub(r"(\w+)\[[\d,]+\](?! \w)", r"\1", _body(text))
    model = parser.parse_model(f'<ir_version: 9, opset_import: ["" : 17]> g {bare}')
    for name, shape in shapes.items():
        spread = (2.0 / max(np.prod(shape[1:]), 1)) ** 0.5
        values = random.normal(0, spread, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    for node in [n for n in model.graph.node if n.op_type == "Constant"]:
        model.graph.initializer.append(numpy_helper.from_array(_value(node), node.output[0]))
        model.graph.node.remove(node)
    for k, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{k}"
    infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _head(text: str) -> str:
    return text[: text.index("{")]


def _body(text: str) -> str:
    return text[text.index("{") :]


def _value(node: onnx.NodeProto) -> np.ndarray:
    """Of a Constant with plain numbers."""
    [(name, value)] = ((a.name, helper.get_attribute_value(a)) for a in node.attribute)
    return np.array(value, np.int64 if "int" in name else np.float32)
