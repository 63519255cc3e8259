"""What float computes is what the graph defines, whatever the runtime makes of the graph."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.evaluate.evaluator import file_evaluator
from edgeq.quantize.evaluate.float_runner import float_runner
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.judge import float_reference
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import Subset
from tests.quantize.networks import Rows, model_of, residual, saved

RANDOM = np.random.default_rng(0)


def rows(count, *shape):
    return Rows(np.random.default_rng(1).normal(size=(count, *shape)).astype(np.float32))


def weighted(name, *shape):
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name)


def product_with_a_vector(shape, perm, negated=False):
    """onnxruntime 1.32 folds the Transpose into the product and computes another one."""
    nodes = [helper.make_node("Transpose", ["x"], ["turned"], name="turn", perm=perm)]
    size = [shape[k] for k in perm]
    if negated:
        nodes.append(helper.make_node("Neg", ["turned"], ["other"], name="other"))
        nodes.append(helper.make_node("MatMul", ["other", "w"], ["y"], name="product"))
    else:
        nodes.append(helper.make_node("MatMul", ["turned", "w"], ["y"], name="product"))
    return model_of(nodes, [weighted("w", size[-1])], [("x", shape)], [("y", tuple(size[:-1]))])


WRONG = [((1, 12, 40), (0, 2, 1)), ((1, 3, 12, 20), (0, 1, 3, 2)), ((1, 6, 5), (0, 2, 1))]


def path_of(model, tmp_path):
    return Path(saved(model, tmp_path).files["onnx"])


def by_numpy(model, sample):
    (turn, *_), (w,) = model.graph.node, model.graph.initializer
    perm = helper.get_attribute_value(turn.attribute[0])
    return np.matmul(sample.transpose(perm), numpy_helper.to_array(w))


@pytest.mark.parametrize(("shape", "perm"), WRONG)
def test_a_wrong_rewrite_is_noticed_and_the_definition_taken(shape, perm, tmp_path):
    model = product_with_a_vector(shape, perm)
    samples = rows(4, *shape[1:])
    opened = float_runner(path_of(model, tmp_path), "onnx", 1, samples)
    assert opened.differs_db is not None and opened.differs_db < 10
    np.testing.assert_allclose(
        opened.runner(samples[0])[0], by_numpy(model, samples[0][0]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("model", [residual(), product_with_a_vector((1, 12, 40), (0, 2, 1), negated=True)])
def test_where_the_runtime_computes_the_same_its_own_graph_runs(model, tmp_path):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert float_runner(path_of(model, tmp_path), "onnx", 1, rows(4, *shape[1:])).differs_db is None


def test_random_numbers_are_no_fault_of_the_runtime(tmp_path):
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"], name="noise"),
        helper.make_node("Add", ["x", "noise"], ["y"], name="add"),
    ]
    model = model_of(nodes, [], [("x", (1, 16))], [("y", (1, 16))])
    opened = float_runner(path_of(model, tmp_path), "onnx", 1, rows(4, 16))
    assert opened.differs_db is None


@pytest.mark.parametrize("decided", ["Sin", "Sign"])
def test_outputs_that_noise_decides_are_no_fault_of_the_runtime(decided, tmp_path):
    """The folded batch norm differs in the last bits, of which the network makes another output."""
    names = ("scale", "shift", "mean", "var")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("BatchNormalization", ["c", *names], ["n"], name="norm"),
        helper.make_node("Mul", ["n", "large"], ["wide"], name="widen"),
        helper.make_node(decided, ["wide"] if decided == "Sin" else ["rest"], ["y"], name="decide"),
    ]
    if decided == "Sign":
        nodes.insert(-1, helper.make_node("Sin", ["wide"], ["rest"], name="turn"))
    weights = [weighted("w", 4, 3, 3, 3)]
    weights += [numpy_helper.from_array(RANDOM.uniform(0.5, 2, 4).astype("f4"), n) for n in names]
    weights.append(numpy_helper.from_array(np.array(1e7, np.float32), "large"))
    model = model_of(nodes, weights, [("x", (1, 3, 8, 8))], [("y", (1, 4, 6, 6))])
    path, samples = path_of(model, tmp_path), rows(4, 3, 8, 8)
    runners = [load(path, "onnx", unoptimized=by) for by in (False, True)]
    one, other = (runner(samples[0])[0] for runner in runners)
    assert np.abs(one - other).max() > 0.1
    assert float_runner(path, "onnx", 1, samples).differs_db is None


def test_rounding_to_16_bits_is_no_fault_of_the_runtime(tmp_path):
    half = TensorProto.FLOAT16
    nodes = [helper.make_node("Cast", ["x"], ["h0"], name="narrow", to=half)]
    weights = []
    for k in range(8):
        w = RANDOM.normal(0, 0.25, (16, 16)).astype(np.float16)
        weights.append(numpy_helper.from_array(w, f"w{k}"))
        nodes.append(helper.make_node("MatMul", [f"h{k}", f"w{k}"], [f"h{k + 1}"], name=f"m{k}"))
    nodes.append(helper.make_node("Cast", ["h8"], ["y"], name="widen", to=TensorProto.FLOAT))
    model = model_of(nodes, weights, [("x", (1, 16))], [("y", (1, 16))])
    opened = float_runner(path_of(model, tmp_path), "onnx", 1, rows(4, 16))
    assert opened.differs_db is None


def test_float_as_the_runtime_runs_it_fails_like_any_candidate(tmp_path):
    model = saved(product_with_a_vector((1, 12, 40), (0, 2, 1)), tmp_path)
    heldout = rows(8, 12, 40)
    reference = float_reference(model, heldout, tmp_path)
    assert reference.differs_db is not None and reference.differs_db < 10
    plan = CandidatePlan("onnxruntime-float", "onnxruntime", "float", "onnx", "the yardstick")
    made = make(plan, model, None, heldout, same_samples=False, gate=Gate(), workdir=tmp_path / "made")
    assert not made.fidelity.passed


def test_a_file_that_is_quantized_already_is_taken_as_the_runtime_runs_it(tmp_path):
    model = saved(product_with_a_vector((1, 12, 40), (0, 2, 1)), tmp_path)
    quantized = replace(model, sha256="1" * 64, quantized="int8 QDQ")
    assert float_reference(quantized, rows(3, 12, 40), tmp_path).differs_db is None


def test_ranges_are_chosen_by_the_definition_too(tmp_path):
    model = product_with_a_vector((1, 12, 40), (0, 2, 1))
    samples = rows(4, 12, 40)
    evaluator = file_evaluator(path_of(model, tmp_path), Subset(samples, (0, 2)), 1)
    np.testing.assert_allclose(
        evaluator.reference[0][1], by_numpy(model, samples[2][0])[0], rtol=1e-4, atol=1e-5
    )
