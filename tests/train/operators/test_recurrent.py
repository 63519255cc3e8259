"""LSTM, GRU and RNN: every direction, initial state and variant is onnxruntime's, in a batch and with gradients."""

import numpy as np
import pytest

from edgeq.errors import ModelRefused
from edgeq.train.graph_module import GraphModule
from tests.train.onnx_runs import agree, batch_of, normal, single

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_STEPS, _IN, _HIDDEN = 5, 3, 4


def layer(kind, direction="forward", state=False, batch=1, **attributes):
    """With weights, biases and, where asked for, the initial states as inputs of the graph."""
    directions = 2 if direction == "bidirectional" else 1
    rows = _GATES[kind] * _HIDDEN
    stored = {
        "w": normal(directions, rows, _IN, seed=1, scale=0.5),
        "r": normal(directions, rows, _HIDDEN, seed=2, scale=0.5),
        "b": normal(directions, 2 * rows, seed=3, scale=0.5),
    }
    states = [(directions, batch, _HIDDEN)] * ((2 if kind == "LSTM" else 1) if state else 0)
    names = [f"x{k + 1}" for k in range(len(states))]
    order = ["x0", "w", "r", "b", *([""] if states else []), *names]
    return single(
        kind,
        [(_STEPS, batch, _IN), *states],
        stored,
        outputs=3 if kind == "LSTM" else 2,
        inputs=order,
        hidden_size=_HIDDEN,
        direction=direction,
        **attributes,
    )


def samples(model, count=3):
    """For each input, in front of its shape."""
    shapes = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input]
    return [normal(count, *shape, seed=k) for k, shape in enumerate(shapes)]


@pytest.mark.parametrize("state", [False, True], ids=["from zero", "from a state"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_layer_in_each_direction(kind, direction, state):
    model = layer(kind, direction, state)
    module = agree(model, *samples(model))
    sum(y.square().sum() for y in module(*batch_of(*samples(model)))).backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in module.weights.values())


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_gru_that_is_linear_before_its_reset_gate(direction):
    model = layer("GRU", direction, linear_before_reset=1)
    agree(model, *samples(model))


def test_samples_that_hold_several_sequences():
    model = layer("LSTM", "bidirectional", state=True, batch=2)
    agree(model, *samples(model))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("LSTM", {"clip": 0.3}),
        ("LSTM", {"input_forget": 1}),
        ("LSTM", {"activations": ["HardSigmoid", "Softsign", "Tanh"]}),
        ("GRU", {"activations": ["Sigmoid", "Relu"]}),
        ("RNN", {"activations": ["Relu"]}),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.1]}),
    ],
)
def test_variants_that_torch_has_no_layer_for(kind, attributes):
    model = layer(kind, **attributes)
    agree(model, *samples(model))


def test_an_lstm_with_peepholes():
    stored = {
        "w": normal(1, 4 * _HIDDEN, _IN, seed=1),
        "r": normal(1, 4 * _HIDDEN, _HIDDEN, seed=2),
        "b": normal(1, 8 * _HIDDEN, seed=3),
        "p": normal(1, 3 * _HIDDEN, seed=4),
    }
    order = ["x0", "w", "r", "b", "", "", "", "p"]
    model = single("LSTM", [(_STEPS, 1, _IN)], stored, outputs=3, inputs=order, hidden_size=_HIDDEN)
    assert "p" in agree(model, *samples(model)).weights


def test_sequences_of_several_lengths_are_refused():
    stored = {
        "w": normal(1, _HIDDEN, _IN),
        "r": normal(1, _HIDDEN, _HIDDEN),
        "lengths": np.array([5, 3], np.int32),
    }
    order = ["x0", "w", "r", "", "lengths"]
    model = single("RNN", [(_STEPS, 2, _IN)], stored, outputs=2, inputs=order, hidden_size=_HIDDEN)
    with pytest.raises(ModelRefused, match="RNN node has sequences of several lengths"):
        GraphModule(model)
