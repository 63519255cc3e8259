"""Broadcasting of values that differ between samples with each other, and with those that do not."""

import numpy as np
import pytest
import torch

from edgeq.train.graph_module import GraphModule
from tests.train.onnx_runs import agree, batch_of, normal, single

_SHAPES = [(), (1,), (4,), (1, 4), (3, 1), (3, 4), (1, 1, 4), (1, 3, 4), (2, 1, 4), (2, 3, 1)]


@pytest.mark.parametrize("right", _SHAPES, ids=str)
@pytest.mark.parametrize("left", _SHAPES, ids=str)
def test_two_values_of_each_sample(left, right):
    agree(single("Sub", [left, right]), normal(3, *left), normal(3, *right, seed=1))


@pytest.mark.parametrize("right", _SHAPES, ids=str)
@pytest.mark.parametrize("left", _SHAPES, ids=str)
def test_a_constant_and_a_value_of_each_sample(left, right):
    agree(single("Sub", [left], {"c": normal(*right, seed=1)}), normal(3, *left))
    agree(single("Sub", [left], {"c": normal(*right, seed=1)}, inputs=["c", "x0"]), normal(3, *left))


@pytest.mark.parametrize("shape", [(1, 3, 4), (2, 3, 4), (4,), ()], ids=str)
def test_what_does_not_depend_on_the_samples_is_repeated_for_them(shape):
    module = GraphModule(single("Shape", [shape]))
    (found,) = module(*batch_of(normal(5, *shape)))
    assert found.reshape(5, -1).tolist() == [list(shape)] * 5


def test_a_concatenation_with_a_constant():
    agree(single("Concat", [(1, 2)], {"c": normal(1, 2)}, axis=0, inputs=["c", "x0", "c"]), normal(3, 1, 2))
    agree(single("Concat", [(1, 2)], {"c": normal(1, 3)}, axis=1), normal(3, 1, 2))


def test_a_batch_of_one_is_a_batch():
    module = GraphModule(single("Softmax", [(1, 4)], axis=1))
    (found,) = module(torch.zeros(1, 4))
    assert np.allclose(found, [[0.25] * 4])
