"""QuantizeLinear and DequantizeLinear: the integers of onnxruntime, of every width and granularity."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from edgeq.train.graph_module import GraphModule
from tests.quantize.networks import model_of
from tests.train.onnx_runs import agree, normal


def pair(scale, zero_point, shape, axis=1, clip=None, opset=21):
    """x -> QuantizeLinear -> (Clip) -> DequantizeLinear; `zero_point` is a stored tensor, for its type."""
    zero_point.name = "zero"
    stored = [numpy_helper.from_array(np.asarray(scale, np.float32), "scale"), zero_point]
    node = helper.make_node
    nodes = [node("QuantizeLinear", ["x", "scale", "zero"], ["q"], name="q", axis=axis)]
    if clip is not None:
        stored += [
            helper.make_tensor(n, zero_point.data_type, [], [v])
            for n, v in zip(("low", "high"), clip, strict=True)
        ]
        nodes.append(node("Clip", ["q", "low", "high"], ["c"], name="c"))
    last = "c" if clip is not None else "q"
    nodes.append(node("DequantizeLinear", [last, "scale", "zero"], ["y"], name="y", axis=axis))
    return model_of(nodes, stored, [("x", shape)], [("y", shape)], opset)


def zeros(element_type, *values):
    """One, or one per channel."""
    return helper.make_tensor("zero", element_type, [len(values)] if len(values) > 1 else [], values)


@pytest.mark.parametrize(
    "zero",
    [
        zeros(TensorProto.UINT8, 100),
        zeros(TensorProto.INT8, -7),
        zeros(TensorProto.UINT16, 30000),
        zeros(TensorProto.INT16, 5),
        zeros(TensorProto.INT4, 2),
        zeros(TensorProto.UINT4, 9),
    ],
    ids=lambda z: TensorProto.DataType.Name(z.data_type),
)
def test_every_width(zero):
    agree(pair(0.05, zero, (1, 3, 8)), normal(4, 1, 3, 8, scale=10), within=1e-6)


def test_halves_are_rounded_to_even():
    halves = (np.arange(-8, 8) + 0.5).astype(np.float32).reshape(1, 1, 16)
    module = agree(pair(1.0, zeros(TensorProto.INT8, 0), (1, 16)), halves)
    assert module(torch.tensor([[0.5, 1.5, 2.5, -0.5] * 4]))[0][0, :4].tolist() == [0.0, 2.0, 2.0, 0.0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_scale_for_each_channel(axis):
    model = pair([0.1, 0.02, 0.5], zeros(TensorProto.INT8, 0, 3, -4), (3, 3, 3), axis)
    agree(model, normal(4, 3, 3, 3, scale=3), within=1e-6)


def test_fewer_levels_by_a_clip_between_the_two():
    agree(pair(0.1, zeros(TensorProto.UINT8, 0), (1, 32), clip=(0, 15)), normal(2, 1, 32, scale=3))


def test_an_int32_bias_keeps_its_last_bits():
    bias = np.array([2**30 + 1, -(2**30) - 3, 7], np.int32)
    stored = [
        numpy_helper.from_array(bias, "q"),
        numpy_helper.from_array(np.float32(2**-20), "scale"),
        numpy_helper.from_array(np.array(5, np.int32), "zero"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["b"], name="b"),
        helper.make_node("Sub", ["b", "x"], ["y"], name="y"),
    ]
    model = model_of(nodes, stored, [("x", (1, 3))], [("y", (1, 3))], 17)
    expected = np.float32(bias - 5) * np.float32(2**-20)
    assert np.array_equal(GraphModule(model)(torch.zeros(1, 3))[0][0].numpy(), expected)


def test_weights_of_four_bits_in_blocks():
    rng = np.random.default_rng(0)
    integers = rng.integers(-8, 8, (32, 6))
    stored = [
        helper.make_tensor("q", TensorProto.INT4, integers.shape, integers.flatten().tolist()),
        numpy_helper.from_array(rng.uniform(0.1, 1, (2, 6)).astype(np.float32), "scale"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale"], ["w"], name="w", axis=0, block_size=16),
        helper.make_node("Add", ["x", "w"], ["y"], name="y"),
    ]
    module = agree(model_of(nodes, stored, [("x", (32, 6))], [("y", (32, 6))], 21), normal(3, 32, 6))
    assert set(module.fixed) == {"w"}
