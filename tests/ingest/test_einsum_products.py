"""An Einsum by a constant is a product of matrices: it is quantized as one, or the model's notes say why not."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.ingest.graph.einsum_products import as_products
from edgeq.ingest.graph.trial import run
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(0)


def einsum(equation, values, constant, first=False):
    """One Einsum named "e" of x and the constant w, which is the first factor or the second."""
    inputs = ["w", "x"] if first else ["x", "w"]
    weight = numpy_helper.from_array(RNG.normal(size=constant).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Einsum", inputs, ["y"], "e", equation=equation)],
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, values)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


PRODUCTS = {
    "rows": einsum("bij,jk->bik", [2, 3, 4], [4, 5]),
    "heads": einsum("bik,khd->bhid", [2, 3, 4], [4, 5, 6]),
    "heads back": einsum("bhid,hde->bie", [2, 5, 3, 6], [5, 6, 4]),
    "linear": einsum("bd,ed->be", [2, 4], [3, 4]),
    "constant first": einsum("oc,bchw->bohw", [2, 4, 3, 3], [5, 4], first=True),
    "open": einsum("...d,de->...e", [2, 3, 4], [4, 5]),
    "implicit result": einsum("bj, jk", [2, 4], [4, 5]),
    "vector": einsum("bij,j->bi", [2, 3, 4], [4]),
    "all summed": einsum("ij,ij->", [3, 4], [3, 4]),
}
OTHERS = {
    "one for each sample": einsum("bij,bjk->bik", [2, 3, 4], [2, 4, 5]),
    "a diagonal": einsum("ii,ij->j", [4, 4], [4, 5]),
    "scaled": einsum("bj,j->bj", [2, 4], [4]),
    "a sum besides": einsum("bij,jk->bk", [2, 3, 4], [4, 5]),
    "outer": einsum("b,k->bk", [2], [5]),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_it_is_a_matrix_product(name):
    model = PRODUCTS[name]
    changed, why = as_products(model)
    assert why == {} and [n.name for n in changed.graph.node if n.op_type == "MatMul"] == ["e"]
    assert {n.op_type for n in changed.graph.node} <= {"MatMul", "Reshape", "Transpose"}
    assert "w" not in {t.name for t in changed.graph.initializer}
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    feed = {"x": RNG.normal(size=shape).astype(np.float32)}
    (before,), (after,) = run(model, feed), run(changed, feed)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_one_constant_for_several():
    model = einsum("bj,jk->bk", [2, 4], [4, 4])
    model.graph.node[0].output[0] = "r"
    model.graph.node.extend(
        [
            helper.make_node("Einsum", ["r", "w"], ["s"], "back", equation="bj,kj->bk"),
            helper.make_node("Einsum", ["s", "w"], ["y"], "again", equation="ac,cd->ad"),
        ]
    )
    changed, _ = as_products(model)
    assert len(changed.graph.initializer) == 2  # as it is, and transposed
    feed = {"x": RNG.normal(size=(2, 4)).astype(np.float32)}
    np.testing.assert_allclose(run(changed, feed)[0], run(model, feed)[0], rtol=1e-4, atol=1e-5)


def test_a_table_that_others_read_is_not_stored_twice(tmp_path):
    model = einsum("be,ve->bv", [2, 64], [2000, 64])
    model.graph.node.append(helper.make_node("Gather", ["w", "ids"], ["rows"], "gather"))
    model.graph.input.append(helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [3]))
    model.graph.output.append(helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "m.onnx")
    opened = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w"))
    assert any("would be stored twice" in note for note in opened.notes)
    assert opened.float_bytes < 1.2 * 2000 * 64 * 4


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_stays_and_says_why(name, tmp_path):
    assert as_products(OTHERS[name])[0] is OTHERS[name]
    onnx.save(OTHERS[name], tmp_path / "m.onnx")
    notes = open_model(Request(str(tmp_path / "m.onnx"), workdir=tmp_path / "w")).notes
    assert any(note.startswith("Einsums that stay in float") and " e (" in note for note in notes)


@pytest.mark.parametrize("name", ["heads", "constant first"])
def test_it_is_quantized(name, tmp_path):
    model = PRODUCTS[name]
    onnx.save(model, tmp_path / "m.onnx")
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    np.savez(tmp_path / "x.npz", x=RNG.normal(size=(40, *shape)).astype(np.float32))
    done = convert(
        str(tmp_path / "m.onnx"),
        target="x86-64-vnni",
        data=str(tmp_path / "x.npz"),
        runtime="onnxruntime",
        recipe="int8_static",
        output=tmp_path / "m.edgeq",
    )
    (static,) = (f for f in done.fidelity if f.candidate == "onnxruntime-int8_static")
    assert [(a.operator, a.integer, a.total) for a in static.fusion] == [("MatMul", 1, 1)]
