"""Embedding tables are stored as int8, one scale per row, where only lookups read them."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.passes.embeddings import store_tables
from tests.quantize.networks import Rows, saved

WORDS, WIDTH, TOKENS = 600, 32, 7


def network(tied=False, twice=False):
    """Words to vectors, vectors to scores; `tied`: one table for both, `twice`: two lookups."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(WORDS, WIDTH)) * rng.uniform(0.01, 10, size=(WORDS, 1))
    tensors = [numpy_helper.from_array(table.astype(np.float32), "table")]
    nodes = [helper.make_node("Gather", ["table", "words"], ["v"], name="lookup")]
    if twice:
        nodes.append(helper.make_node("Gather", ["table", "words"], ["w"], name="again"))
        nodes.append(helper.make_node("Add", ["v", "w"], ["x"], name="sum"))
    source = "x" if twice else "v"
    if tied:
        nodes.append(helper.make_node("Transpose", ["table"], ["turned"], name="turn"))
        nodes.append(helper.make_node("MatMul", [source, "turned"], ["y"], name="scores"))
    else:
        weight = rng.normal(size=(WIDTH, 48)).astype(np.float32)
        tensors.append(numpy_helper.from_array(weight, "weight"))
        nodes.append(helper.make_node("MatMul", [source, "weight"], ["y"], name="scores"))
    graph = helper.make_graph(
        nodes,
        "words",
        [helper.make_tensor_value_info("words", TensorProto.INT64, (1, TOKENS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, TOKENS, WORDS if tied else 48))],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def answer(model, words):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"words": words})[0]


def types(model):
    return {t.name: t.data_type for t in model.graph.initializer if np.prod(t.dims) > WORDS}


def test_each_row_has_its_own_scale():
    model = network()
    words = np.arange(TOKENS)[None] * 80
    model.graph.output.append(helper.make_tensor_value_info("v", TensorProto.FLOAT, (1, TOKENS, WIDTH)))
    stored, remedies = store_tables(model)
    onnx.checker.check_model(stored, full_check=True)
    assert [(r.what, r.how) for r in remedies] == [
        ("Gather: lookup", "its table is stored in 8 bits with one scale per row")
    ]
    rows = numpy_helper.to_array(model.graph.initializer[0])[words[0]]
    step = np.abs(rows).max(axis=1, keepdims=True) / 127
    options = ["v"]
    session = onnxruntime.InferenceSession(stored.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(options, {"words": words})
    assert np.all(np.abs(found[0] - rows) <= 0.51 * step)


def test_two_lookups_share_one_stored_table():
    stored, remedies = store_tables(network(twice=True))
    assert [r.what for r in remedies] == ["Gather: lookup", "Gather: again"]
    assert types(stored) == {"table.stored.int8": TensorProto.INT8, "weight": TensorProto.FLOAT}
    words = np.arange(TOKENS)[None]
    exact = answer(network(twice=True), words)
    np.testing.assert_allclose(answer(stored, words), exact, atol=0.02 * np.abs(exact).max())


def test_a_table_that_a_product_reads_too_stays_in_float():
    model = network(tied=True)
    stored, remedies = store_tables(model)
    assert stored is model
    assert remedies == ()


def test_dynamic_int8_stores_the_table_in_a_quarter_of_the_bytes(tmp_path):
    model = saved(network(), tmp_path)
    words = np.random.default_rng(1).integers(0, WORDS, (20, TOKENS))
    plan = CandidatePlan("onnxruntime-int8_dynamic", "onnxruntime", "int8_dynamic", "onnx", "a test")
    found = make(plan, model, None, Rows(words), same_samples=False, gate=Gate(), workdir=tmp_path / "w")
    assert found.fidelity.passed
    assert [r.what for r in found.fidelity.remedies] == ["Gather: lookup"]
    assert found.path.stat().st_size < 0.4 * model.float_bytes
