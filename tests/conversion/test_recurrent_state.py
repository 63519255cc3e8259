"""States that are fed back are found by what the samples hold, not by names."""

import numpy as np
import pytest

from edgeq.conversion.recurrent_state import PossibleState, find_states, named_states
from edgeq.errors import DataRefused
from edgeq.nouns.states import states_of
from edgeq.nouns.tensor import TensorSpec

RNG = np.random.default_rng(0)
W, U = RNG.normal(size=(8, 6)).astype("f4") / 3, RNG.normal(size=(6, 6)).astype("f4") / 3
STEPS = 40


def specs(*named):
    return tuple(TensorSpec(name, "float32", shape) for name, shape in named)


def cell(arrays):
    """(x, h, c) -> (y, h', c'), as torch's LSTM cell returns (y, (h, c))."""
    x, h, c = arrays
    c = 0.9 * c + np.tanh(x @ W)
    h = np.tanh(c + h @ U)
    return h @ U, h, c


class Frames:
    """Samples of a list of tuples."""

    labels = truth = None
    sha256 = "f" * 64

    def __init__(self, rows):
        self.rows = rows

    @property
    def count(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


def recorded(resets=()):
    """A run of the cell, its states stored at every step."""
    h = c = np.zeros((1, 6), "f4")
    rows = []
    for t in range(STEPS):
        if t in resets:
            h = c = np.zeros((1, 6), "f4")
        x = RNG.normal(size=(1, 8)).astype("f4")
        rows.append((x, h, c))
        _, h, c = cell((x, h, c))
    return Frames(rows)


def zeros():
    return Frames(
        [(RNG.normal(size=(1, 8)).astype("f4"), *[np.zeros((1, 6), "f4")] * 2) for _ in range(STEPS)]
    )


INPUTS = specs(("x", (1, 8)), ("args_1", (1, 6)), ("args_2", (1, 6)))
OUTPUTS = specs(("output", (1, 6)), ("output_1", (1, 6)), ("output_2", (1, 6)))


def pairs(states):
    return {(s.output, s.input) for s in states}


def test_stored_states_of_a_run_are_found_whatever_they_are_called():
    found = find_states(INPUTS, OUTPUTS, cell, recorded()).states
    assert pairs(found) == {(1, 1), (2, 2)}
    assert all(s.starts == {0} and s.recorded for s in found)


def test_a_recording_that_begins_anew_is_several_sequences():
    found = find_states(INPUTS, OUTPUTS, cell, recorded(resets=(13, 27))).states
    assert {s.starts for s in found} == {frozenset({0, 13, 27})}


def test_zeros_in_every_sample_are_states_where_names_or_shapes_tell():
    outputs = specs(("y", (1, 6)), ("hn", (1, 6)), ("cn", (1, 6)))
    by_name = find_states(specs(("x", (1, 8)), ("h0", (1, 6)), ("c0", (1, 6))), outputs, cell, zeros()).states
    assert pairs(by_name) == {(1, 1), (2, 2)} and not any(s.recorded for s in by_name)

    def answer_and_states(arrays):
        y, h, c = cell(arrays)
        return y[:, :2], h, c

    outputs = specs(("output_0", (1, 2)), ("output_1", (1, 6)), ("output_2", (1, 6)))
    by_shape = find_states(INPUTS, outputs, answer_and_states, zeros()).states
    assert pairs(by_shape) == {(1, 1), (2, 2)}
    # Three outputs of the states' shape for two states: which is which cannot be told.
    left = find_states(INPUTS, OUTPUTS, cell, zeros())
    assert left.states == () and left.possible_states == (PossibleState((0, 1, 2), (1, 2), False),)


def leaky(arrays):
    """(x, h) -> (y, h')."""
    x, h = arrays
    h = 0.9 * h + np.tanh(x @ W)
    return h[:, :2], h


def stored(how, labels=None):
    """Steps of `leaky` with their states, but not as they were recorded."""
    h, rows = np.zeros((1, 6), "f4"), []
    for _ in range(3 * STEPS):
        x = RNG.normal(size=(1, 8)).astype("f4")
        rows.append((x, h))
        h = leaky((x, h))[1]
    if how == "shuffled":
        rows = [rows[i] for i in RNG.permutation(len(rows))]
    if how == "every second":
        rows = rows[::2]
    if how == "at random":
        rows = [(x, RNG.normal(size=(1, 6)).astype("f4")) for x, _ in rows]
    if how == "ones":
        rows = [(x, np.ones((1, 6), "f4")) for x, _ in rows]
    frames = Frames(rows)
    frames.labels = labels
    return frames


ANSWER_AND = (("y", (1, 2)), ("h_out", (1, 6)))


@pytest.mark.parametrize("how", ["shuffled", "every second", "at random", "ones"])
def test_states_that_are_stored_in_no_order_are_found_by_name_or_reported_as_possible(how):
    fit = find_states(specs(("x", (1, 8)), ("h_in", (1, 6))), specs(*ANSWER_AND), leaky, stored(how))
    (state,) = fit.states
    assert (state.output, state.input, state.starts, state.recorded) == (1, 1, {0}, False)
    assert state.in_doubt == (how != "ones") and fit.possible_states == ()
    odd = find_states(
        specs(("x", (1, 8)), ("foo", (1, 6))), specs(("y", (1, 2)), ("bar", (1, 6))), leaky, stored(how)
    )
    assert odd.states == () and odd.possible_states == (PossibleState((1,), (1,), how != "ones"),)


def test_zeros_of_the_shape_of_data_are_left_open():
    frames = Frames([(x[:, :6], h) for x, h, _ in zeros().rows])
    inputs, outputs = specs(("x", (1, 6)), ("foo", (1, 6))), specs(("y", (1, 2)), ("bar", (1, 6)))
    found = find_states(inputs, outputs, lambda a: (a[1][:, :2], 0.9 * a[1] + a[0]), frames)
    assert found.states == () and PossibleState((1,), (1,), False) in found.possible_states


@pytest.mark.parametrize("frames", [recorded, zeros])
def test_next_to_recorded_states_nothing_else_is_possible(frames):
    """The second answer has the shape of x, the first input; h and c are stored as they ran, or as zeros."""
    inputs = specs(("x", (1, 8)), ("h0", (1, 6)), ("c0", (1, 6)))
    outputs = specs(("y", (1, 6)), ("cleaned", (1, 8)), ("hn", (1, 6)), ("cn", (1, 6)))

    def also_cleans(arrays):
        y, h, c = cell(arrays)
        return y, 0.5 * arrays[0], h, c

    found = find_states(inputs, outputs, also_cleans, frames())
    assert pairs(found.states) == {(2, 1), (3, 2)} and found.possible_states == ()


def test_labels_belong_to_the_stored_states():
    frames = stored("shuffled", labels=np.zeros(3 * STEPS, np.int64))
    found = find_states(specs(("x", (1, 8)), ("h_in", (1, 6))), specs(*ANSWER_AND), leaky, frames)
    assert found.states == () and found.possible_states == (PossibleState((1,), (1,), True),)


def test_several_zero_states_of_one_shape_are_paired_in_order_and_reported_as_a_guess():
    outputs = specs(("answer", (1, 2)), ("output_1", (1, 6)), ("output_2", (1, 6)))

    def answer_and_states(arrays):
        y, h, c = cell(arrays)
        return y[:, :2], h, c

    states = find_states(INPUTS, outputs, answer_and_states, zeros()).states
    assert pairs(states) == {(1, 1), (2, 2)}
    assert all("in the order of the inputs" in s.by and "no other input" not in s.by for s in states)
    (alone,) = find_states(
        specs(("x", (1, 8)), ("a", (1, 6))), specs(("y", (1, 2)), ("b", (1, 6))), leaky,
        Frames([(x, h) for x, h, _ in zeros().rows]),
    ).states  # fmt: skip
    assert "no other input has its shape" in alone.by


def test_outputs_that_only_share_a_shape_give_no_warning():
    picture, level = RNG.random((STEPS, 1, 3, 8, 8)).astype("f4"), RNG.random((STEPS, 1, 1)).astype("f4")
    shape = (1, 3, 8, 8)
    both = Frames(list(zip(picture, level, strict=True)))
    for name in ("image", "image_in"):
        inputs = specs((name, shape), ("level", (1, 1)))
        assert (
            find_states(inputs, specs(("image_out", shape)), lambda a: (a[0] * a[1],), both).possible_states
            == ()
        )
    outputs = specs(("clean", shape), ("sure", (1, 1)))
    found = find_states(inputs, outputs, lambda a: (a[0] * a[1], a[1]), both)
    assert found.states == found.possible_states == ()
    rows = RNG.normal(size=(STEPS, 1, 8)).astype("f4")
    conditioned = Frames([(x, x[:, :3]) for x in rows])
    inputs, outputs = specs(("x", (1, 8)), ("given", (1, 3))), specs(("again", (1, 8)), ("latent", (1, 2)))
    found = find_states(inputs, outputs, lambda a: (0.9 * a[0], a[0][:, :2]), conditioned)
    assert found.states == found.possible_states == ()
    mixed = Frames(list(zip(picture, picture[::-1], strict=True)))
    inputs = specs(("left", shape), ("right", shape))
    outputs = specs(("depth", shape), ("sure", (1, 1)))
    found = find_states(inputs, outputs, lambda a: (a[0] - a[1], a[0].mean().reshape(1, 1)), mixed)
    assert found.states == found.possible_states == ()


def test_pictures_and_residuals_of_an_inputs_shape_are_no_states():
    """An image to image network on a film: each output is close to the next input, as the picture before it is."""
    film = np.cumsum(0.01 * RNG.normal(size=(STEPS, 1, 3, 8, 8)), axis=0).astype("f4") + 1
    mask = RNG.random((STEPS, 1, 3, 8, 8)).astype("f4")
    shape = (1, 3, 8, 8)
    inputs, outputs = specs(("image_in", shape), ("mask", shape)), specs(("image_out", shape))
    frames = Frames(list(zip(film, mask, strict=True)))
    assert find_states(inputs, outputs, lambda a: (a[0] * 0.999,), frames).states == ()
    still = Frames([(picture, np.zeros_like(picture)) for picture in film])  # a mask that is never used
    inputs = specs(("image", shape), ("mask", shape))
    assert find_states(inputs, specs(("clean", shape)), lambda a: (a[0] * 0.9,), still).states == ()


def test_a_model_of_one_input_has_no_state():
    frames = Frames([(RNG.normal(size=(1, 6)).astype("f4"),) for _ in range(9)])
    assert (
        find_states(specs(("h0", (1, 6))), specs(("hn", (1, 6))), lambda a: (a[0] @ U,), frames).states == ()
    )


def test_states_that_are_named():
    found = named_states((("output_2", "args_2"),), INPUTS, OUTPUTS, cell, zeros())
    assert pairs(found) == {(2, 2)}
    with pytest.raises(DataRefused, match="has no output 'hn'"):
        named_states((("hn", "args_2"),), INPUTS, OUTPUTS, cell, zeros())
    with pytest.raises(DataRefused, match="the output is float32 1x6, the input float32 1x8"):
        named_states((("output_1", "x"),), INPUTS, OUTPUTS, cell, zeros())


def test_the_syntax_of_states_is_checked():
    assert states_of("hn=h0, cn=c0") == (("hn", "h0"), ("cn", "c0"))
    assert states_of("none") == () and states_of("auto") is states_of(None) is None
    for text in ("hn", "=h0", "hn=h0,hn=c0", "none,hn=h0"):
        with pytest.raises(ValueError, match="is not OUTPUT=INPUT|twice"):
            states_of(text)
