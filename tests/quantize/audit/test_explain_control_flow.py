"""Layers inside of If, Loop and Scan: named, listed, and measured in the branch that the samples take."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.explanation import LayerExplained
from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.explain import FloatReasons, explain
from edgeq.quantize.audit.float_layers import IN_SUBGRAPH
from edgeq.quantize.audit.layers import Layer
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load, no_progress
from tests.quantize.networks import STATIC, Rows, model_of, saved

DYNAMIC = CandidatePlan("onnxruntime-int8_dynamic", "onnxruntime", "int8_dynamic", "onnx", "a test")
WIDTH = 64
RNG = np.random.default_rng(0)
SAMPLES = Rows(RNG.normal(size=(12, WIDTH)).astype(np.float32))


def weight(name):
    return numpy_helper.from_array(RNG.normal(scale=0.1, size=(WIDTH, WIDTH)).astype(np.float32), name)


def value(name, kind=TensorProto.FLOAT, shape=(1, WIDTH)):
    return helper.make_tensor_value_info(name, kind, shape)


def branch(side, inner=()):
    """A product of its own, with a node name that both branches have."""
    nodes = [
        *inner,
        helper.make_node("MatMul", [inner[-1].output[0] if inner else "h", f"w.{side}"], [side], "product"),
    ]
    return helper.make_graph(nodes, side, [], [value(side)], [weight(f"w.{side}")])


def choosing(then_branch=None, condition="yes"):
    """A product, then an If that all samples decide alike: for its then_branch."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "before"),
        helper.make_node("ReduceSum", ["h"], ["sum"], "sum", keepdims=0),
        helper.make_node("Mul", ["sum", "sum"], ["square"], "square"),
        helper.make_node("GreaterOrEqual", ["square", "zero"], ["yes"], "is_positive"),
        helper.make_node("Greater", ["sum", "zero"], ["it depends"], "depends"),
        helper.make_node(
            "If",
            [condition],
            ["y"],
            "choice",
            then_branch=then_branch or branch("a"),
            else_branch=branch("b"),
        ),
    ]
    constants = [weight("w"), numpy_helper.from_array(np.float32(0), "zero")]
    return model_of(nodes, constants, [("x", (1, WIDTH))], [("y", (1, WIDTH))])


def explained(net, plan, folder, samples=SAMPLES):
    model = saved(net, folder)
    made = make(plan, model, samples, samples, same_samples=True, gate=Gate(), workdir=folder / "work")
    paths = folder / "net.onnx", made.path
    layers = explain(*paths, plan, made.fidelity, samples, saturates=False, threads=1, progress=no_progress)
    real, quantized = (load(path, "onnx") for path in paths)
    pairs = [(real(samples[i])[0], quantized(samples[i])[0]) for i in range(samples.count)]
    loss = np.sqrt(sum(np.sum((q - y) ** 2) for y, q in pairs) / sum(np.sum(y**2) for y, _ in pairs))
    return {layer.layer: layer for layer in layers}, float(loss)


def test_the_branch_that_samples_take_is_measured_and_the_other_named(tmp_path):
    layers, loss = explained(choosing(), DYNAMIC, tmp_path)
    assert set(layers) == {"before", "choice/then_branch/product/a", "choice/else_branch/product/b"}
    taken, other = layers["choice/then_branch/product/a"], layers["choice/else_branch/product/b"]
    assert (taken.inside, taken.operator, taken.scheme) == ("choice", "MatMul", "dynamic U8S8 per channel")
    assert taken.error == pytest.approx(loss, rel=1e-4) and 0 < taken.weights < taken.own < taken.error
    assert (other.error, other.work, other.scheme) == (None, 0.0, "dynamic U8S8 per channel")
    assert other.unmeasured == "the samples take another branch"
    assert layers["before"].work == taken.work == 0.5


@pytest.mark.arithmetic
def test_an_if_inside_of_an_if(tmp_path):
    inner = helper.make_node(
        "If", ["yes"], ["deep"], "inner", then_branch=branch("c"), else_branch=branch("d")
    )
    layers, loss = explained(choosing(branch("a", [inner])), DYNAMIC, tmp_path)
    deep = layers["choice/inner/then_branch/then_branch/product/c"]
    assert deep.inside == "choice/inner" and 0 < deep.error < 0.1
    assert layers["choice/then_branch/product/a"].error == pytest.approx(loss, rel=1e-4)


def test_branches_that_samples_do_not_agree_on_are_not_measured(tmp_path):
    layers, _ = explained(choosing(condition="it depends"), DYNAMIC, tmp_path)
    assert layers["before"].error > 0
    for name in ("choice/then_branch/product/a", "choice/else_branch/product/b"):
        assert layers[name].error is None and "differ" in layers[name].unmeasured


def test_two_ifs_with_the_same_names_inside(tmp_path):
    """ONNX allows it; only one of them can be put in the main graph."""
    net = choosing()
    again = helper.make_node("If", ["yes"], ["z"], "again", then_branch=branch("a"), else_branch=branch("b"))
    net.graph.node.append(again)
    net.graph.output.append(value("z"))
    layers, _ = explained(net, DYNAMIC, tmp_path)
    found = [layer for layer in layers.values() if layer.inside]
    assert len(found) == 4 and sum(layer.error is not None for layer in found) == 1
    assert all(layer.error or layer.unmeasured for layer in found)


def test_the_body_of_a_scan_is_listed_and_not_measured(tmp_path):
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "r"], ["turned"], "recurrence"),
            helper.make_node("Add", ["turned", "step"], ["next"], "sum"),
            helper.make_node("Identity", ["next"], ["shown"], "show"),
        ],
        "body",
        [value("state"), value("step")],
        [value("next"), value("shown")],
        [weight("r")],
    )
    nodes = [
        helper.make_node("Scan", ["start", "x"], ["last", "all"], "steps", body=body, num_scan_inputs=1),
        helper.make_node("MatMul", ["last", "w"], ["y"], "after"),
    ]
    constants = [weight("w"), numpy_helper.from_array(np.zeros((1, WIDTH), np.float32), "start")]
    net = model_of(nodes, constants, [("x", (1, 1, WIDTH))], [("y", (1, WIDTH))])
    steps = Rows(SAMPLES.rows[:, None])
    layers, loss = explained(net, DYNAMIC, tmp_path, steps)
    inside = layers["recurrence"]
    assert (inside.inside, inside.scheme, inside.integer) == ("steps", "dynamic U8S8 per channel", True)
    assert inside.error is None and "Loop or Scan" in inside.unmeasured
    assert layers["after"].error == pytest.approx(loss, rel=1e-4)


def test_static_quantization_leaves_a_branch_in_float_with_the_reason(tmp_path):
    layers, _ = explained(choosing(), STATIC, tmp_path)
    inside = layers["choice/then_branch/product/a"]
    assert (inside.scheme, inside.inside, inside.operator) == ("float", "choice", "MatMul")
    assert "is inside an If, Loop or Scan" in inside.why_float
    assert layers["before"].scheme == "U8S8 per channel"


def test_a_node_in_a_body_with_the_name_of_another_has_the_reason_of_its_own_side():
    outside = "its neighbours run in float"
    reasons = FloatReasons.of(Fidelity("c", 1, ()), {"g": (outside, IN_SUBGRAPH)})
    main, body = (LayerExplained("g", "MatMul", 0.0, "float", inside=inside) for inside in ("", "choice"))
    assert reasons.why(Layer(main, "g")) == outside
    assert reasons.why(Layer(body, "g")) == IN_SUBGRAPH
