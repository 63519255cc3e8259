"""Pooling: paddings that torch has not, and windows that reach over the end, are onnxruntime's."""

import pytest

from tests.train.onnx_runs import agree, normal, single

_SHAPES = {
    "as torch": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "one end": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]},
    "same upper": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same lower": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    "over the end": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    "over a padded end": {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
}


@pytest.mark.parametrize("shape", _SHAPES)
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_windows(operator, shape):
    agree(single(operator, [(1, 3, 8, 7)], opset=19, **_SHAPES[shape]), normal(3, 1, 3, 8, 7))


@pytest.mark.parametrize("shape", ["as torch", "one end", "over a padded end"])
def test_an_average_that_counts_the_padding(shape):
    model = single("AveragePool", [(1, 3, 8, 7)], opset=19, count_include_pad=1, **_SHAPES[shape])
    agree(model, normal(3, 1, 3, 8, 7))


def test_samples_that_are_several_images():
    agree(single("MaxPool", [(4, 3, 8, 7)], kernel_shape=[2, 2]), normal(3, 4, 3, 8, 7))
