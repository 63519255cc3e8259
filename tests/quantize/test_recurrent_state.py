"""States that are fed back are found by what the samples hold, not by names."""

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.nouns.states import states_of
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.recurrent_state import find_states, named_states

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
    found = find_states(INPUTS, OUTPUTS, cell, recorded())
    assert pairs(found) == {(1, 1), (2, 2)}
    assert all(s.starts == {0} and s.recorded for s in found)


def test_a_recording_that_begins_anew_is_several_sequences():
    found = find_states(INPUTS, OUTPUTS, cell, recorded(resets=(13, 27)))
    assert {s.starts for s in found} == {frozenset({0, 13, 27})}


def test_zeros_in_every_sample_are_states_where_names_or_shapes_tell():
    outputs = specs(("y", (1, 6)), ("hn", (1, 6)), ("cn", (1, 6)))
    by_name = find_states(specs(("x", (1, 8)), ("h0", (1, 6)), ("c0", (1, 6))), outputs, cell, zeros())
    assert pairs(by_name) == {(1, 1), (2, 2)} and not any(s.recorded for s in by_name)

    def answer_and_states(arrays):
        y, h, c = cell(arrays)
        return y[:, :2], h, c

    outputs = specs(("output_0", (1, 2)), ("output_1", (1, 6)), ("output_2", (1, 6)))
    by_shape = find_states(INPUTS, outputs, answer_and_states, zeros())
    assert pairs(by_shape) == {(1, 1), (2, 2)}
    # Three outputs of the states' shape for two states: which is which cannot be told.
    assert find_states(INPUTS, OUTPUTS, cell, zeros()) == ()


def test_pictures_and_residuals_of_an_inputs_shape_are_no_states():
    """An image to image network on a film: each output is close to the next input, as the picture before it is."""
    film = np.cumsum(0.01 * RNG.normal(size=(STEPS, 1, 3, 8, 8)), axis=0).astype("f4") + 1
    mask = RNG.random((STEPS, 1, 3, 8, 8)).astype("f4")
    shape = (1, 3, 8, 8)
    inputs, outputs = specs(("image_in", shape), ("mask", shape)), specs(("image_out", shape))
    frames = Frames(list(zip(film, mask, strict=True)))
    assert find_states(inputs, outputs, lambda a: (a[0] * 0.999,), frames) == ()
    still = Frames([(picture, np.zeros_like(picture)) for picture in film])  # a mask that is never used
    inputs = specs(("image", shape), ("mask", shape))
    assert find_states(inputs, specs(("clean", shape)), lambda a: (a[0] * 0.9,), still) == ()


def test_a_model_of_one_input_has_no_state():
    frames = Frames([(RNG.normal(size=(1, 6)).astype("f4"),) for _ in range(9)])
    assert find_states(specs(("h0", (1, 6))), specs(("hn", (1, 6))), lambda a: (a[0] @ U,), frames) == ()


def test_states_that_are_named():
    found = named_states((("output_2", "args_2"),), INPUTS, OUTPUTS, cell, zeros())
    assert pairs(found) == {(2, 2)}
    with pytest.raises(DataRefused, match="has no output 'hn'"):
        named_states((("hn", "args_2"),), INPUTS, OUTPUTS, cell, zeros())
    with pytest.raises(DataRefused, match="the output is float32 1x6, the input float32 1x8"):
        named_states((("output_1", "x"),), INPUTS, OUTPUTS, cell, zeros())


def test_how_states_are_written():
    assert states_of("hn=h0, cn=c0") == (("hn", "h0"), ("cn", "c0"))
    assert states_of("none") == () and states_of("auto") is states_of(None) is None
    for text in ("hn", "=h0", "hn=h0,hn=c0", "none,hn=h0"):
        with pytest.raises(ValueError, match="is not OUTPUT=INPUT|twice"):
            states_of(text)
