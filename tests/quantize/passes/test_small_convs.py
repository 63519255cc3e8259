"""Convolutions that are faster in float on x86 stay in float."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.nouns.plan import Scheme
from edgeq.quantize.passes.small_convs import unprofitable_convolutions
from tests.quantize.networks import Rows, images, model_of
from tests.quantize.test_other_recipes import made


def network(channels, groups=1, kernel=3, pooled=False):
    """A convolution of 32 channels out (as many as `groups`, if several), Relu, maybe MaxPool, a 1x1 convolution."""
    rng = np.random.default_rng(0)
    out = 32 if groups == 1 else groups

    def weight(name, *shape):
        return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)

    weights = [
        weight("first_w", out, channels // groups, kernel, kernel),
        weight("second_w", 32, out, 1, 1),
    ]
    pads = [kernel // 2] * 4
    nodes = [
        helper.make_node("Conv", ["x", "first_w"], ["a"], name="first", group=groups, pads=pads),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MaxPool", ["b"], ["c"], name="pool", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Conv", ["c" if pooled else "b", "second_w"], ["y"], name="second"),
    ]
    if not pooled:
        del nodes[2]
    return model_of(nodes, weights, [("x", (1, channels, 16, 16))], [("y", (1, 32, 16, 16))])


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        (network(3), {"first"}),  # 27 products
        (network(3, kernel=7), set()),  # 147 products
        (network(16), set()),
        (network(16, groups=16), {"first"}),
        (network(32, groups=32), set()),
        (network(3, pooled=True), set()),
    ],
)
def test_convolutions_of_few_products_that_are_not_pooled(graph, found):
    assert unprofitable_convolutions(graph).keys() == found


@pytest.mark.parametrize("thin_in_float", [True, False])
def test_only_where_the_scheme_says_so(tmp_path, thin_in_float):
    scheme = Scheme("uint8", "int8", True, thin_in_float=thin_in_float)
    graph = network(3, pooled=False)
    held_out, calibration = Rows(images(8)), Rows(images(8, seed=1))
    found = made(graph, "int8_static", tmp_path, held_out, calibration, scheme=scheme)
    reasons = {s.what: s.reason for s in found.fidelity.float_layers}
    assert ("first" in reasons) == thin_in_float
    weights = {i.name for i in onnx.load(found.path).graph.initializer}
    assert ("first_w" in weights) == thin_in_float
