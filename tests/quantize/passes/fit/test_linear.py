"""Weights times columns give what onnxruntime computes."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

from edgeq.quantize.passes.fit.linear import linear_of
from tests.quantize.networks import model_of

CASES = {
    "plain": ((1, 4, 7, 7), (6, 4, 3, 3), {}),
    "strided and padded unevenly": ((1, 4, 9, 8), (6, 4, 3, 3), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    "dilated": ((1, 3, 11, 11), (5, 3, 3, 3), {"dilations": [2, 3]}),
    "grouped": ((1, 6, 6, 6), (4, 3, 3, 3), {"group": 2}),
    "depthwise": ((1, 6, 6, 6), (6, 1, 3, 3), {"group": 6, "pads": [1, 1, 1, 1]}),
    "padded by name": ((1, 3, 8, 7), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "padded by name, below": ((1, 3, 8, 7), (4, 3, 4, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "one axis": ((1, 3, 20), (4, 3, 5), {"strides": [2], "pads": [2, 2]}),
    "three axes": ((1, 2, 5, 6, 7), (3, 2, 2, 3, 3), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_convolution(case):
    shape, weight_shape, attributes = CASES[case]
    assert_same("Conv", shape, weight_shape, attributes)


@pytest.mark.parametrize(
    ("op", "weight_shape", "attributes"),
    [("Gemm", (5, 3), {}), ("Gemm", (3, 5), {"transB": 1}), ("MatMul", (5, 3), {})],
)
def test_matrix_products(op, weight_shape, attributes):
    assert_same(op, (4, 5), weight_shape, attributes)


def test_a_product_with_alpha_is_not_known():
    node = model("Gemm", (4, 5), (5, 3), {"alpha": 0.5})[0].graph.node[0]
    assert linear_of(node, (5, 3), (4, 5)) is None


def assert_same(op, shape, weight_shape, attributes):
    net, weight = model(op, shape, weight_shape, attributes)
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    (y,) = ort.InferenceSession(net.SerializeToString()).run(None, {"x": x})
    linear = linear_of(net.graph.node[0], weight_shape, shape)
    matrix = linear.matrix(weight)
    products = np.einsum("grk,gkp->grp", matrix, linear.columns(x)).reshape(-1, linear.positions(shape))
    wanted = y.transpose(1, 0, *range(2, y.ndim)) if op == "Conv" else y.T
    np.testing.assert_allclose(products, wanted.reshape(products.shape), rtol=1e-4, atol=1e-5)
    assert np.array_equal(linear.tensor(matrix, weight), weight)
    some = linear.columns(x, first=1, step=3)
    assert np.array_equal(some, linear.columns(x)[:, :, 1::3])


def model(op, shape, weight_shape, attributes):
    weight = np.random.default_rng(0).normal(size=weight_shape).astype(np.float32)
    node = helper.make_node(op, ["x", "w"], ["y"], name="layer", **attributes)
    return model_of(
        [node], [numpy_helper.from_array(weight, "w")], [("x", shape)], [("y", [None] * len(shape))]
    ), weight
