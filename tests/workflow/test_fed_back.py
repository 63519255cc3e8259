"""Outputs that are an input's next value are told by name and shape."""

import pytest

from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.fed_back import fed_back


def specs(*named):
    return tuple(TensorSpec(name, "float32", shape) for name, shape in named)


FRAME = ("x", (1, 512))


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("state", "stateN"),
        ("h0", "hn"),
        ("h_in", "h_out"),
        ("cell.prev", "cell.next"),
        ("past_key", "past_key.1"),
    ],
)
def test_a_state_and_its_next_value(state, after):
    inputs, outputs = specs(FRAME, (state, (2, 1, 64))), specs(("y", (1, 1)), (after, (2, 1, 64)))
    assert fed_back(inputs, outputs) == ((after, state),)


def test_two_states_are_told_apart_by_name():
    shape = (1, 1, 64)
    inputs, outputs = specs(FRAME, ("h", shape), ("c", shape)), specs(("cn", shape), ("hn", shape))
    assert fed_back(inputs, outputs) == (("cn", "c"), ("hn", "h"))


@pytest.mark.parametrize("outputs", [(("stateN", (2, 1, 32)),), (("embedding", (2, 1, 64)),)])
def test_another_shape_or_name_is_no_state(outputs):
    assert fed_back(specs(FRAME, ("state", (2, 1, 64))), specs(*outputs)) == ()


def test_a_picture_that_becomes_a_picture_is_none():
    assert fed_back(specs(("in", (1, 3, 8, 8))), specs(("out", (1, 3, 8, 8)))) == ()
