"""Weights that the body of an If or Loop reads count as weights, wherever they are stored."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgeq.graphs.macs import graph_macs
from edgeq.workflow.convert import convert

W = np.random.default_rng(0).standard_normal((32, 64)).astype("f")
HEAD = '<ir_version: 8, opset_import: ["" : 17]> g (float[4, 32] x) => (float[4, 64] y) {'

INSIDE_AN_IF = (
    HEAD
    + """ s = ReduceSum <keepdims = 0> (x) z = Constant <value = float {0.0}> () c = Less (z, s)
    y = If (c) <then_branch = t () => (float[4, 64] a) { a = MatMul (x, w) },
                else_branch = e () => (float[4, 64] b) { n = Neg (x) b = MatMul (n, w) }> }"""
)
INSIDE_A_LOOP = (
    HEAD
    + """ n = Constant <value = int64 {3}> () yes = Constant <value = bool {1}> () zero = MatMul (x, zeros)
    y = Loop (n, yes, zero) <body = b (int64 k, bool go, float[4, 64] sum) => (bool on, float[4, 64] more)
        { on = Identity (go) p = MatMul (x, w) more = Add (sum, p) }> }"""
)


def saved(text, folder, *, inside):
    """`inside`: the weight is stored in the bodies, not around them."""
    model = parser.parse_model(text)
    tensor = numpy_helper.from_array(W, "w")
    if not inside:
        model.graph.initializer.append(tensor)
    if "zeros" in text:
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((32, 64), "f"), "zeros"))
    for node in model.graph.node:
        for attribute in node.attribute if inside else ():
            if attribute.HasField("g"):
                attribute.g.initializer.append(tensor)
    onnx.save(model, folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("inside", [True, False], ids=["stored in the body", "stored around it"])
@pytest.mark.parametrize(("text", "products"), [(INSIDE_AN_IF, 2), (INSIDE_A_LOOP, 2)], ids=["If", "Loop"])
def test_they_are_counted(text, products, inside, tmp_path):
    work = graph_macs(saved(text, tmp_path, inside=inside), "onnx")
    assert work.fixed == {"MatMul": products}
    assert work.weight_bytes == {"MatMul": products * 4 * W.size}
    assert work.has(("MatMul",))


@pytest.mark.parametrize("inside", [True, False], ids=["stored in the body", "stored around it"])
@pytest.mark.parametrize("text", [INSIDE_AN_IF, INSIDE_A_LOOP], ids=["If", "Loop"])
def test_no_plan_says_that_there_are_none(text, inside, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(1).standard_normal((24, 4, 32)).astype("f"))
    done = convert(
        str(saved(text, tmp_path, inside=inside)),
        target="x86-64-vnni",
        data=str(tmp_path / "x.npz"),
        runtime="onnxruntime",
        output=tmp_path / "m.edgeq",
    )
    assert not [s for s in done.plan.skipped if "with constant float32 weights" in s.reason]
    dynamic = next(f for f in done.fidelity if f.candidate.endswith("int8_dynamic"))
    assert dynamic.passed or dynamic.quantized_nothing
    assert dynamic.passed or "MatMul" in (dynamic.why_failed or "")
