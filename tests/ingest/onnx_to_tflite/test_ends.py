"""Which end of a file is which of its source is decided by names, then order; axes by values."""

import numpy as np
import pytest

from edgeq.errors import ConversionFailed
from edgeq.ingest.onnx_to_tflite.ends import End, InFile, fed, inputs_in, outputs_in
from edgeq.nouns.tensor import TensorSpec

RNG = np.random.default_rng(0)


def spec(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, "float32", shape)


def test_inputs_are_found_by_name_whatever_their_order_and_marks():
    file = (InFile("b_0", (1, 4)), InFile("a__0", (1,)))
    ends = inputs_in(file, (spec("a:0"), spec("b/0", 1, 4)))
    assert ends == (End("a:0", (), 1), End("b/0", (1, 4), 0))
    b, a = fed(ends, file, (np.float32(3), np.ones((1, 4))))
    assert (a.shape, b.shape) == ((1,), (1, 4))


def test_inputs_without_a_name_in_common_go_by_order():
    file = (InFile("serving_x", (1, 4)), InFile("serving_y", (1, 2)))
    assert [e.position for e in inputs_in(file, (spec("p", 1, 4), spec("q", 1, 2)))] == [0, 1]


@pytest.mark.parametrize(
    ("file", "words"),
    [((InFile("x", (1, 5)),), "gave the input x 1x4 float32 the shape"), ((), "with the inputs none")],
)
def test_an_input_that_is_another_is_refused(file, words):
    with pytest.raises(ConversionFailed, match=words):
        inputs_in(file, (spec("x", 1, 4),))


@pytest.mark.parametrize("shape", [(1, 8, 8, 8), (2, 3, 4, 5), (1, 2, 3, 4, 2)])
def test_channels_that_came_last_are_found_by_value(shape):
    expected = RNG.normal(size=shape)
    got = np.moveaxis(expected, 1, -1)
    (end,) = outputs_in((InFile("y", got.shape),), (spec("y", *shape),), (expected,), (got,))
    assert end.axes is not None
    np.testing.assert_array_equal(got.transpose(end.axes), expected)


def test_an_output_in_order_is_left_alone():
    expected = RNG.normal(size=(1, 3, 3, 3))
    (end,) = outputs_in((InFile("y", expected.shape),), (spec("y", 1, 3, 3, 3),), (expected,), (expected,))
    assert end.axes is None
