"""Gathering and scattering: by indices that are constants, and by those of each sample."""

import numpy as np
import pytest
from onnx import TensorProto

from tests.train.onnx_runs import agree, normal, single


def with_indices(model, name="x1"):
    """`model` with int64 indices as an input."""
    value = next(i for i in model.graph.input if i.name == name)
    value.type.tensor_type.elem_type = TensorProto.INT64
    return model


@pytest.mark.parametrize("indices", [2, [2], [-1, 0], [[0, 1], [2, -2]]], ids=str)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_at_constant_places(indices, axis):
    model = single("Gather", [(3, 4, 5)], {"at": np.array(indices)}, axis=axis)
    agree(model, normal(2, 3, 4, 5))


def test_gather_drops_a_first_dimension_of_one():
    agree(single("Gather", [(1, 4)], {"at": np.array(0)}, axis=0), normal(3, 1, 4))


@pytest.mark.parametrize("shape", [(1, 6), (2, 3), ()], ids=str)
def test_an_embedding(shape):
    model = single("Gather", [shape], {"table": normal(10, 4)}, inputs=["table", "x0"])
    at = np.random.default_rng(0).integers(-10, 10, (3, *shape))
    assert "table" in agree(with_indices(model, "x0"), at).weights


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather_at_places_of_the_sample(axis):
    model = with_indices(single("Gather", [(3, 4, 5), (2, 2)], axis=axis))
    agree(model, normal(3, 3, 4, 5), np.random.default_rng(0).integers(-3, 3, (3, 2, 2)))


def test_gather_elements():
    model = with_indices(single("GatherElements", [(3, 4), (2, 4)], axis=0))
    agree(model, normal(3, 3, 4), np.random.default_rng(0).integers(-3, 3, (3, 2, 4)))


def test_scatter():
    at = np.array([[0, 1], [2, 3]])
    model = single("ScatterND", [(3, 4), (2,)], {"at": at}, inputs=["x0", "at", "x1"])
    agree(model, normal(3, 3, 4), normal(3, 2, seed=1))
