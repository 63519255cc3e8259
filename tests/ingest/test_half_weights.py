"""Weights that are stored in float16 and cast to float32 are weights like others."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper, parser

from edgeq.ingest.graph.half_weights import computes_in_halves, widened
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(0)
W, V = (RNG.normal(scale=0.2, size=(32, 32)).astype(np.float16) for _ in range(2))
NOTE = "stored in 16-bit floats, computed in float32, now float32: "


def net(body, **stored):
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[4, 32] x) => (float[4, 32] y) {{
        {body}
    }}"""
    model = parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in stored.items())
    return model


def in_constant_nodes(dtype):
    """The weight stands in a node instead of an initializer."""
    model = net("wide = Cast <to = 1> (w)  y = MatMul (x, wide)")
    weight = numpy_helper.from_array(W.astype(dtype), "value")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    return model


FLAT = {"flat": W.ravel(), "shape": np.array([32, 32])}
WEIGHTS = {
    "initializers": net(
        "a = Cast <to = 1> (w)  m = MatMul (x, a)  r = Relu (m)  b = Cast <to = 1> (v)  y = MatMul (r, b)", w=W, v=V
    ),
    "float16 constants": in_constant_nodes(np.float16),
    "bfloat16 constants": in_constant_nodes(ml_dtypes.bfloat16),
    "reshaped before": net("m = Reshape (flat, shape)  wide = Cast <to = 1> (m)  y = MatMul (x, wide)", **FLAT),
    "reshaped after": net("c = Cast <to = 1> (flat)  wide = Reshape (c, shape)  y = MatMul (x, wide)", **FLAT),
    "transposed Gemm": net("wide = Cast <to = 1> (w)  y = Gemm <transB = 1> (x, wide)", w=W),
    "read twice": net("c = Cast <to = 1> (w)  m = MatMul (x, c)  t = Transpose (c)  y = MatMul (m, t)", w=W),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_behind_a_cast_are_constants(name, tmp_path):
    onnx.save(WEIGHTS[name], tmp_path / "m.onnx")
    opened = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    graph = onnx.load(opened.files["onnx"]).graph
    assert {n.op_type for n in graph.node} <= {"Gemm", "MatMul", "Relu", "Transpose"}
    assert {t.data_type for t in graph.initializer} == {onnx.TensorProto.FLOAT}
    assert any(note.startswith(NOTE) for note in opened.notes)


@pytest.mark.parametrize("name", ["initializers", "bfloat16 constants", "reshaped after"])
def test_they_are_quantized(name, tmp_path):
    onnx.save(WEIGHTS[name], tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", x=RNG.normal(size=(40, 4, 32)).astype(np.float32))
    done = convert(
        str(tmp_path / "m.onnx"),
        target="x86-64-vnni",
        data=str(tmp_path / "x.npz"),
        runtime="onnxruntime",
        recipe="int8_static",
        output=tmp_path / "m.edgeq",
    )
    (static,) = (f for f in done.fidelity if f.candidate == "onnxruntime-int8_static")
    assert all(a.integer == a.total > 0 for a in static.fusion)


def test_a_branch_reads_them_too():
    model = net("wide = Cast <to = 1> (w)  y = Identity (x)", w=W, yes=np.array(True))
    out = [helper.make_tensor_value_info("inner", onnx.TensorProto.FLOAT, None)]
    inner = helper.make_graph([helper.make_node("MatMul", ["x", "wide"], ["inner"])], "branch", [], out)
    model.graph.node[1].CopyFrom(helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner))
    changed, names = widened(model)
    onnx.checker.check_model(changed)
    assert names == ("wide",) and {t.name for t in changed.graph.initializer} == {"wide", "yes"}


def test_what_would_grow_the_file_stays_computed():
    model = net(
        "many = Expand (one, shape)  wide = Cast <to = 1> (many)  m = ReduceSum (wide)  y = Add (x, m)",
        one=np.ones(1, np.float16),
        shape=np.array([500_000]),
    )
    assert widened(model) == (model, ())


def test_a_network_that_computes_in_float16_is_left_alone(tmp_path):
    model = net("h = Cast <to = 10> (x)  m = MatMul (h, w)  y = Cast <to = 1> (m)", w=W)
    assert computes_in_halves(model) and widened(model) == (model, ())
    onnx.save(model, tmp_path / "m.onnx")
    opened = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    assert any(note.startswith("not simplified: a float16 graph") for note in opened.notes)
