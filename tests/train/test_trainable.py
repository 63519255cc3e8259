"""Which constants of a graph are weights to be trained."""

import numpy as np
from onnx import helper, numpy_helper

from edgeq.graphs.onnx_index import index_of
from edgeq.train.trainable import trainable
from tests.quantize.networks import residual


def found(nodes, shape=(1, 4), **stored):
    weights = [numpy_helper.from_array(np.asarray(a), n) for n, a in stored.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 1, None)],
        weights,
    )
    return trainable(index_of(graph))


def test_weights_and_biases_of_layers():
    assert set(trainable(index_of(residual().graph))) == {t.name for t in residual().graph.initializer}


def test_a_weight_that_is_transposed_and_joined_before_it_is_read():
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["ab"], axis=0),
        helper.make_node("Transpose", ["ab"], ["t"]),
        helper.make_node("MatMul", ["x", "t"], ["y"]),
    ]
    assert found(nodes, a=np.ones((2, 4), np.float32), b=np.ones((3, 4), np.float32)) == ("a", "b")


def test_one_number_is_no_weight_but_a_vector_is():
    nodes = [helper.make_node("Mul", ["x", "half"], ["h"]), helper.make_node("Add", ["h", "shift"], ["y"])]
    assert found(nodes, half=np.float32(0.5), shift=np.ones(4, np.float32)) == ("shift",)


def test_integers_and_shapes_are_none():
    nodes = [helper.make_node("Reshape", ["x", "to"], ["r"]), helper.make_node("Add", ["r", "r"], ["y"])]
    assert found(nodes, to=np.array([2, 2])) == ()


def test_statistics_of_a_batch_norm_are_none():
    nodes = [helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "var"], ["y"])]
    values = {name: np.ones(4, np.float32) for name in ("scale", "shift", "mean", "var")}
    assert found(nodes, **values) == ("scale", "shift")


def test_a_weight_that_is_quantized_in_the_graph():
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["dq"]),
        helper.make_node("MatMul", ["x", "dq"], ["y"]),
    ]
    stored = {"w": np.ones((4, 2), np.float32), "s": np.float32(0.1), "z": np.int8(0)}
    assert found(nodes, **stored) == ("w",)
