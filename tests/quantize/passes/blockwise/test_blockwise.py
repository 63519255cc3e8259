"""Weights in blocks: laid out as onnxruntime reads them, rounded by GPTQ, planned where they are fast."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq import catalog
from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.backends.ort.nbits import in_blocks
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.passes.blockwise import why_no_blocks
from edgeq.quantize.passes.blockwise.gptq import round_gptq
from edgeq.quantize.plan import make_plan
from edgeq.quantize.weights import round_to_nearest
from tests.quantize.networks import Rows, model_of, saved

RECIPES = tuple(catalog.recipe(name) for name in catalog.recipe_names())


def network(rows=1, width=80, hidden=200):
    """A MatMul, then a Gemm with every attribute; neither length is a multiple of the block size."""
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.normal(scale=width**-0.5, size=(width, hidden)),
        "second": rng.normal(scale=hidden**-0.5, size=(24, hidden)),
        "bias": rng.normal(size=24),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["r"], name="relu"),
        helper.make_node(
            "Gemm", ["r", "second", "bias"], ["y"], name="second", transB=1, alpha=2.0, beta=0.5
        ),
    ]
    tensors = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()]
    return model_of(nodes, tensors, [("x", (rows, width))], [("y", (rows, 24))])


def correlated(count, seed, width=80):
    """Correlated rows, as those of a trained network are."""
    directions = np.random.default_rng(7).normal(size=(12, width))
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 12)) @ directions + 0.1 * rng.normal(size=(count, width))
    return Rows(rows.astype(np.float32), sha256=f"{seed:064d}")


def answer(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_onnxruntime_dequantizes_to_the_same_values(bits, size):
    """Its float kernels (accuracy_level 0) compared with a MatMul of the dequantized weights."""
    model = network()
    weights = numpy_helper.to_array(model.graph.initializer[0]).T
    del model.graph.node[1:]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("a", TensorProto.FLOAT, (1, 200)))
    blocks = round_to_nearest(weights, bits, size)
    packed = in_blocks(model, [blocks])
    for attribute in packed.graph.node[0].attribute:
        if attribute.name == "accuracy_level":
            attribute.i = 0
    x = correlated(1, 0).rows
    np.testing.assert_allclose(answer(packed, x), x @ blocks.values().T, rtol=1e-4, atol=1e-4)
    assert np.abs(blocks.values() - weights).max() < np.abs(weights).max() / (2**bits - 1) * 2.5


def test_zeros_are_exact():
    weights = np.zeros((3, 40), np.float32)
    weights[1, ::2] = np.linspace(0.1, 1, 20)
    values = round_to_nearest(weights, 4, 32).values()
    np.testing.assert_array_equal(values[weights == 0], 0)


def test_gptq_reduces_the_error_of_the_products_not_of_the_weights():
    weights = np.random.default_rng(0).normal(size=(50, 80)).astype(np.float32)
    x, unseen = correlated(500, 1).rows, correlated(500, 2).rows
    gram = (x.T @ x / len(x)).astype(np.float64)

    def error(values):
        return np.mean(np.square(unseen @ (values - weights).T))

    nearest, joint = round_to_nearest(weights, 4, 32).values(), round_gptq(weights, gram, 4, 32).values()
    assert error(joint) < error(nearest) / 4
    assert np.mean(np.square(joint - weights)) > np.mean(np.square(nearest - weights))


@pytest.mark.parametrize(
    ("recipe", "sqnr", "min_runtime"),
    [("int8_blockwise", 36, "1.23"), ("int4_blockwise", 18, "1.17"), ("int2_blockwise", 12, "1.28")],
)
def test_a_network_is_written_evaluated_and_reported(tmp_path, recipe, sqnr, min_runtime):
    plan = CandidatePlan(f"onnxruntime-{recipe}", "onnxruntime", recipe, "onnx", "a test")
    model = saved(network(), tmp_path)
    calibration, heldout = correlated(200, 1), correlated(40, 2)
    found = make(plan, model, calibration, heldout, same_samples=False, gate=Gate(), workdir=tmp_path / "w")
    assert {a.operator: (a.integer, a.total) for a in found.fidelity.fusion} == {"MatMul": (2, 2)}
    assert found.fidelity.outputs[0].sqnr_db > sqnr
    assert found.fidelity.passed
    assert found.fidelity.float_layers == ()
    assert found.min_runtime == min_runtime
    remedies = {r.what: r.how for r in found.fidelity.remedies}
    fitted = f"{recipe[3]}-bit integers rounded to minimize the error of the products (GPTQ)"
    assert remedies == ({} if recipe == "int8_blockwise" else {"first": fitted, "second": fitted})


def test_without_samples_weights_are_rounded_to_nearest(tmp_path):
    plan = CandidatePlan("onnxruntime-int4_blockwise", "onnxruntime", "int4_blockwise", "onnx", "a test")
    model = saved(network(), tmp_path)
    found = make(
        plan, model, None, correlated(40, 2), same_samples=False, gate=Gate(), workdir=tmp_path / "w"
    )
    assert found.fidelity.remedies == ()
    assert found.fidelity.outputs[0].sqnr_db > 12


def test_small_matrices_stay_in_float_and_are_reported(tmp_path):
    plan = CandidatePlan("onnxruntime-int8_blockwise", "onnxruntime", "int8_blockwise", "onnx", "a test")
    model = saved(network(width=20, hidden=30), tmp_path)
    rows = correlated(10, 1, width=20)
    found = make(plan, model, None, rows, same_samples=False, gate=Gate(), workdir=tmp_path / "w").fidelity
    assert found.quantized_nothing
    assert [s.what for s in found.float_layers] == ["Gemm: second", "MatMul: first"]


def ids(plan):
    return [c.id.partition("-")[2] for c in plan.candidates]


def test_each_layer_without_blocks_has_its_own_reason():
    node, scope = helper.make_node, index_of(network().graph)
    why = {
        "its second operand is an activation": node("MatMul", ["x", "r"], ["y"]),
        "both operands are constants": node("MatMul", ["first", "first"], ["y"]),
        "float32 matrices": node("MatMul", ["x", "bias"], ["y"]),
        "its input is transposed": node("Gemm", ["x", "first"], ["y"], transA=1),
        "only in matrix products": node("Conv", ["x", "first"], ["y"]),
    }
    for words, each in why.items():
        assert words in why_no_blocks(each, scope)
    assert [why_no_blocks(each, scope) for each in scope.nodes if each.op_type != "Relu"] == ["", ""]


def test_planned_for_few_rows_where_the_cpu_has_integer_dot_products(tmp_path):
    few, many = saved(network(), tmp_path, "few"), saved(network(rows=16), tmp_path, "many")

    def planned(model, target, **asked):
        return make_plan(model, catalog.target(target), RECIPES, has_data=False, **asked)

    assert ids(planned(few, "rpi5")) == ["int4_blockwise", "int8_dynamic", "int8_blockwise", "fp16", "float"]
    why = {s.what: s.reason for s in planned(many, "rpi5").skipped}
    assert "16 rows at a time: int8_dynamic is faster" in why["onnxruntime int4_blockwise"]
    assert "int4_blockwise" in ids(planned(many, "rpi5", recipe="int4_blockwise"))
    why = {s.what: s.reason for s in planned(few, "rpi5").skipped}
    assert "only smaller" in why["onnxruntime int2_blockwise"]
    reasons = {c.recipe: c.reason for c in planned(few, "rpi5").candidates}
    assert (
        "; faster and half the bytes" in reasons["int4_blockwise"]
        and "; neither" in reasons["int8_blockwise"]
    )
    [two] = [c for c in planned(few, "rpi5", recipe="int2_blockwise").candidates if c.recipe != "float"]
    assert "only smaller" in two.reason
    why = {s.what: s.reason for s in planned(few, "rpi4").skipped}
    assert "no asimddp" in why["onnxruntime int8_blockwise"]


def test_products_in_a_loop_are_rounded_to_nearest(tmp_path):
    """Their inputs are unknown outside of the loop."""
    body = network().graph
    scan = helper.make_graph(
        [*body.node[:2], helper.make_node("Identity", ["x"], ["same"], name="same")],
        "body",
        [helper.make_tensor_value_info("state", 1, (1,)), helper.make_tensor_value_info("x", 1, (1, 80))],
        [helper.make_tensor_value_info("kept", 1, (1,)), helper.make_tensor_value_info("r", 1, (1, 200))],
        [body.initializer[0]],
    )
    scan.node.insert(0, helper.make_node("Identity", ["state"], ["kept"], name="keep"))
    node = helper.make_node("Scan", ["zero", "xs"], ["end", "ys"], body=scan, num_scan_inputs=1, name="scan")
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    graph = model_of([node], [zero], [("xs", (3, 1, 80))], [("ys", (3, 1, 200))])
    model = saved(graph, tmp_path, "loop")
    plan = CandidatePlan("onnxruntime-int8_blockwise", "onnxruntime", "int8_blockwise", "onnx", "a test")
    rows = correlated(30, 1).rows.reshape(10, 3, 1, 80)

    class Sequences(Rows):
        def __getitem__(self, i):
            return (self.rows[i],)

    samples = replace(Sequences(rows), sha256="1" * 64)
    found = make(plan, model, samples, samples, same_samples=True, gate=Gate(), workdir=tmp_path / "w")
    assert found.fidelity.outputs[0].sqnr_db > 36
    written = onnx.load(found.path).graph.node[0].attribute
    inner = next(a.g for a in written if a.name == "body")
    assert "MatMulNBits" in {n.op_type for n in inner.node}
