"""The first and the last layers of a network with two branches, as ONNX and as TFLite: x -> a -> c, x -> b, c + b -> y."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.outer_layers import outer_layers, outer_tflite_layers
from edgeq.graphs.tflite import read_model
from tests.quantize.networks import model_of

LAYERS = {"a": "x", "b": "x", "c": "a", "y": "sum"}


def test_inner_layers_are_behind_others_and_before_others() -> None:
    weights = [numpy_helper.from_array(np.ones((4, 4), np.float32), f"{name}.w") for name in LAYERS]
    nodes = [helper.make_node("MatMul", [x, f"{n}.w"], [n], name=n) for n, x in LAYERS.items()]
    nodes.insert(3, helper.make_node("Add", ["c", "b"], ["sum"], name="sum"))
    graph = model_of(nodes, weights, [("x", (1, 4))], [("y", (1, 4))]).graph
    assert outer_layers(index_of(graph)) == {"a", "b", "y"}


def test_in_tflite_too(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    from ai_edge_litert import schema_py_generated as schema

    from tests.quantize.tflite_networks import write

    operators = [
        ("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), [x, f"{n}.w"], n) for n, x in LAYERS.items()
    ]
    operators.insert(3, ("ADD", schema.AddOptionsT(), ["c", "b"], "sum"))
    shapes = dict.fromkeys(("x", "sum", *LAYERS), (1, 4))
    weights = {f"{name}.w": np.ones((4, 4)) for name in LAYERS}
    model = read_model(write(tmp_path / "net.tflite", shapes, weights, operators, ("x",), ("y",)))
    named = {t.name: i for i, t in enumerate(model.subgraphs[0].tensors)}
    assert outer_tflite_layers(model) == {named[name] for name in (b"a", b"b", b"y")}
