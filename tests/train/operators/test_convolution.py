"""Convolutions with paddings, groups and shapes that torch takes only by a detour are onnxruntime's."""

import pytest
import torch

from edgeq.errors import ModelRefused
from edgeq.train.graph_module import GraphModule
from tests.train.onnx_runs import agree, normal, single


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 1, 1, 1], "strides": [2, 1]},
        {"pads": [0, 1, 1, 2]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"pads": [2, 2, 2, 2], "dilations": [2, 2]},
    ],
    ids=str,
)
@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_paddings(operator, attributes):
    stored = {"w": normal(4, 4, 3, 3, seed=1), "b": normal(4, seed=2)}
    agree(single(operator, [(1, 4, 8, 7)], stored, **attributes), normal(3, 1, 4, 8, 7))


def test_a_transposed_convolution_to_a_given_shape():
    stored = {"w": normal(4, 2, 3, 3, seed=1)}
    model = single("ConvTranspose", [(1, 4, 5, 5)], stored, strides=[2, 2], output_shape=[10, 10], group=2)
    agree(model, normal(3, 1, 4, 5, 5))
    agree(
        single(
            "ConvTranspose", [(1, 4, 5, 5)], stored, strides=[3, 3], output_padding=[1, 2], pads=[1, 0, 0, 1]
        ),
        normal(2, 1, 4, 5, 5),
    )


@pytest.mark.parametrize("axes", [1, 3])
def test_one_and_three_dimensions(axes):
    stored = {"w": normal(2, 3, *[3] * axes, seed=1)}
    agree(single("Conv", [(1, 3, *[5] * axes)], stored), normal(2, 1, 3, *[5] * axes))


def test_depthwise():
    stored = {"w": normal(6, 1, 3, 3, seed=1)}
    agree(single("Conv", [(1, 6, 8, 8)], stored, group=6), normal(2, 1, 6, 8, 8))


def test_weights_that_differ_from_sample_to_sample_are_refused():
    model = single("Conv", [(1, 3, 8, 8), (2, 3, 3, 3)])
    with pytest.raises(ModelRefused, match="Conv node takes x1 from the samples"):
        GraphModule(model)(torch.zeros(2, 3, 8, 8), torch.zeros(2, 2, 3, 3, 3))
