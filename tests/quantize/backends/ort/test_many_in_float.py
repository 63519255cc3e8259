"""What leaves layers in float costs each of them the same, however many there are: counted, not timed."""

import re
import sys

import numpy as np
import pytest
from onnx import helper, numpy_helper, save

from edgeq.graphs.float_graph import read
from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity, LayerInFloat
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.explain import FloatReasons
from edgeq.quantize.audit.layers import Layer
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.ort import qdq

RNG = np.random.default_rng(0)


def calls(action):
    """How many functions, of Python and of C, are called."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def gemms(folder, layers):
    """A chain; all but its first layer are left in float."""
    stored, nodes, x = [], [], "x"
    for k in range(layers):
        stored.append(numpy_helper.from_array(RNG.standard_normal((8, 8)).astype("f"), f"w{k}"))
        nodes.append(helper.make_node("Gemm", [x, f"w{k}"], [f"y{k}"], f"gemm{k}"))
        x = f"y{k}"
    ends = [helper.make_tensor_value_info(name, 1, [4, 8]) for name in ("x", x)]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], stored)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "m.onnx"
    )
    return read(folder / "m.onnx"), frozenset(f"gemm{k}" for k in range(1, layers))


def onnx_calls(folder, layers):
    model, in_float = gemms(folder, layers)
    ranges = dict.fromkeys(["x", *(f"y{k}" for k in range(layers))], (-1.0, 1.0))
    scheme, out = Scheme("uint8", "int8", True), folder / "q.onnx"

    def made():
        qdq.emit(model, out, scheme, ranges, in_float)
        float_layers.grouped(float_layers.onnx_static(out), dict.fromkeys(in_float, "a test"))

    return calls(made)


def dense_layers(folder, layers):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    pytest.importorskip("litert_quantizer")
    from tests.quantize.tflite_networks import write

    shapes = {"x": (1, 8)} | {f"y{k}": (1, 8) for k in range(layers)}
    constants = {f"w{k}": RNG.standard_normal((8, 8)) for k in range(layers)}
    constants |= {f"b{k}": RNG.standard_normal(8) for k in range(layers)}
    inputs = ["x", *(f"y{k}" for k in range(layers))]
    options = schema.FullyConnectedOptionsT()
    operators = [("FULLY_CONNECTED", options, [inputs[k], f"w{k}", f"b{k}"], f"y{k}") for k in range(layers)]
    path = write(folder / "m.tflite", shapes, constants, operators, ("x",), (inputs[-1],))
    return path, dict.fromkeys(shapes, (-1.0, 1.0)), frozenset(inputs[2:])


def test_onnx(tmp_path):
    onnx_calls(tmp_path, 10)  # what is imported and kept on first use
    assert onnx_calls(tmp_path, 400) < 2.2 * onnx_calls(tmp_path, 200)


def test_litert(tmp_path, monkeypatch):
    """Every operator is compared with every rule for what stays in float, so there is one rule."""
    path, ranges, in_float = dense_layers(tmp_path, 40)
    searched = 0
    search = re.search

    def counted(*words, **more):
        nonlocal searched
        searched += 1
        return search(*words, **more)

    monkeypatch.setattr(re, "search", counted)
    found = []
    for some in (frozenset(sorted(in_float)[:19]), in_float):
        searched = 0
        emit.emit(path, tmp_path / "q.tflite", ranges, some)
        found.append(searched)
    assert found[1] <= found[0]


def test_reasons():
    def looked_up(layers):
        names = [f"gemm{k}" for k in range(layers)]
        fidelity = Fidelity(
            "c", 1, (), float_layers=tuple(LayerInFloat(name, f"why {name}") for name in names)
        )
        layers = [Layer(LayerExplained(name, "Gemm", 0.0, "float"), name) for name in names]

        def explained():
            reasons = FloatReasons.of(fidelity, {})
            assert [reasons.why(layer) for layer in layers] == [f"why {name}" for name in names]

        return calls(explained)

    assert looked_up(400) < 2.2 * looked_up(200)
