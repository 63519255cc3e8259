"""A split GRU computes what onnxruntime's GRU kernel computes, in every variant that exporters write."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.quantize.passes.recurrent import lower_recurrent, rnn_lowering
from tests.quantize.networks import model_of

INPUTS, UNITS, BATCH = 5, 8, 2


def gru(direction="forward", linear_before_reset=0, steps=6, bias=True, state=False, outputs=("y", "last")):
    rng = np.random.default_rng(0)
    directions = 2 if direction == "bidirectional" else 1
    shapes = {"w": (3 * UNITS, INPUTS), "r": (3 * UNITS, UNITS), "b": (6 * UNITS,)}
    weights = [
        numpy_helper.from_array(rng.normal(scale=0.5, size=(directions, *s)).astype(np.float32), n)
        for n, s in shapes.items()
        if n != "b" or bias
    ]
    node = helper.make_node(
        "GRU",
        ["x", "w", "r", "b" if bias else "", "", "h" if state else ""],
        list(outputs),
        name="cell",
        hidden_size=UNITS,
        direction=direction,
        linear_before_reset=linear_before_reset,
    )
    inputs = [("x", (steps, BATCH, INPUTS)), *([("h", (directions, BATCH, UNITS))] if state else [])]
    ends = {"y": (steps, directions, BATCH, UNITS), "last": (directions, BATCH, UNITS)}
    return model_of([node], weights, inputs, [(n, ends[n]) for n in outputs if n])


def answers(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    rng = np.random.default_rng(1)
    return session.run(
        None, {i.name: rng.normal(size=i.shape).astype(np.float32) for i in session.get_inputs()}
    )


@pytest.fixture
def any_size(monkeypatch):
    """Splits GRUs of any size."""
    monkeypatch.setattr(rnn_lowering, "_FEWEST_UNITS", 1)
    monkeypatch.setattr(rnn_lowering, "_FEWEST_UNITS_OF_ONE_STEP", 1)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("linear_before_reset", [0, 1])
@pytest.mark.parametrize(
    "rest",
    [
        {},
        {"state": True},
        {"steps": 1},
        {"steps": 1, "state": True},
        {"bias": False},
        {"outputs": ("", "last")},
    ],
    ids=str,
)
def test_the_split_gru_computes_what_the_kernel_computes(any_size, direction, linear_before_reset, rest):
    model = gru(direction, linear_before_reset, **rest)
    split = lower_recurrent(onnx.shape_inference.infer_shapes(model))
    onnx.checker.check_model(split.model, full_check=True)
    assert [r.what for r in split.changes] == ["GRU: cell"]
    assert "GRU" not in {n.op_type for n in split.model.graph.node}
    for ours, kernel in zip(answers(split.model), answers(model), strict=True):
        np.testing.assert_allclose(ours, kernel, atol=2e-6)


def test_all_steps_and_directions_share_one_input_projection(any_size):
    graph = lower_recurrent(onnx.shape_inference.infer_shapes(gru("bidirectional"))).model.graph
    (product,) = [n for n in graph.node if n.op_type == "MatMul"]
    weight = next(t for t in graph.initializer if t.name == product.input[1])
    assert (product.input[0], list(weight.dims)) == ("x", [INPUTS, 2 * 3 * UNITS])
    assert not {"w", "r", "b"} & {t.name for t in graph.initializer}


def test_a_small_gru_keeps_its_kernel():
    lowered = lower_recurrent(onnx.shape_inference.infer_shapes(gru()))
    assert lowered.stored
    assert lowered.changes == ()
    (left,) = lowered.left
    assert left.reason == ("float compute on 8-bit weights: with 8 units it would be slower in integer steps")
    assert {t.name: t.data_type for t in lowered.model.graph.initializer}["w.stored.int8"] == TensorProto.INT8
    for ours, kernel in zip(answers(lowered.model), answers(gru()), strict=True):
        np.testing.assert_allclose(ours, kernel, atol=0.02)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"clip": 3.0}, "a clip"),
        ({"activations": ["HardSigmoid", "Tanh"]}, "activations of its own"),
        ({"lengths": True}, "the lengths of its sequences"),
    ],
    ids=str,
)
def test_a_gru_that_cannot_be_split_gets_int8_weights_and_a_reason(any_size, change, says):
    model = gru()
    node = model.graph.node[0]
    if change.pop("lengths", False):
        node.input[4] = "lengths"
        model.graph.initializer.append(numpy_helper.from_array(np.array([6, 4], np.int32), "lengths"))
    node.attribute.extend(helper.make_attribute(k, v) for k, v in change.items())
    lowered = lower_recurrent(onnx.shape_inference.infer_shapes(model))
    assert lowered.stored
    assert says in lowered.left[0].reason
    for ours, kernel in zip(answers(lowered.model), answers(model), strict=True):
        np.testing.assert_allclose(ours, kernel, atol=0.03)


def test_weights_that_two_cells_share_are_stored_once():
    model = gru(outputs=("y", ""))
    twin = helper.make_node("GRU", ["x", "w", "r", "b"], ["z"], name="twin", hidden_size=UNITS)
    model.graph.node.append(twin)
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (6, 1, BATCH, UNITS)))
    lowered = lower_recurrent(onnx.shape_inference.infer_shapes(model))
    assert [n.op_type for n in lowered.model.graph.node] == ["Cast", "Mul", "Cast", "Mul", "GRU", "GRU"]
    y, z = answers(lowered.model)
    np.testing.assert_array_equal(y, z)


def test_an_rnn_gets_int8_weights_unless_they_are_computed():
    model = gru(outputs=("y", ""))
    rng = np.random.default_rng(2)
    shapes = {"rw": (1, UNITS, INPUTS), "rr": (1, UNITS, UNITS)}
    model.graph.initializer.extend(
        numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n) for n, s in shapes.items()
    )
    model.graph.node.insert(0, helper.make_node("Identity", ["w"], ["w2"]))
    model.graph.node[1].input[1] = "w2"
    model.graph.node.append(helper.make_node("RNN", ["x", "rw", "rr"], ["z"], name="old", hidden_size=UNITS))
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (6, 1, BATCH, UNITS)))
    lowered = lower_recurrent(onnx.shape_inference.infer_shapes(model))
    assert {s.what: s.reason for s in lowered.left} == {
        "GRU: cell": "its weights are computed in the graph, or are no float32",
        "RNN: old": "float compute on 8-bit weights: onnxruntime has no integer kernel for RNN",
    }
