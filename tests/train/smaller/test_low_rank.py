"""Linear layers of a graph become two each, which onnxruntime computes as numpy does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ModelRefused
from edgeq.graphs.ort_session import ort_session
from edgeq.train.smaller.low_rank import low_rank
from tests.quantize.networks import Rows

RNG = np.random.default_rng(0)


def graph(nodes, constants, shape, outputs):
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in constants.items()]
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", *outputs])],
        tensors,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def low(outputs, inputs, rank):
    return RNG.normal(size=(outputs, rank)) @ RNG.normal(size=(rank, inputs))


def gemm(weights):
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense", transB=1, alpha=0.5, beta=2.0)
    bias = RNG.normal(size=len(weights))
    return graph([node], {"w": weights, "b": bias}, weights.shape[1:], (len(weights),))


def matmul_add(weights):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], name="dense"),
        helper.make_node("Add", ["b", "p"], ["y"], name="sum"),
    ]
    constants = {"w": weights.T, "b": RNG.normal(size=len(weights))}
    return graph(nodes, constants, (7, weights.shape[1]), (7, len(weights)))


def matmul(weights):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense")]
    return graph(nodes, {"w": weights.T}, (7, weights.shape[1]), (7, len(weights)))


def convolution(weights):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="dense", strides=[2, 2], kernel_shape=[1, 1])
    constants = {"w": weights[:, :, None, None]}
    return graph([node], constants, (weights.shape[1], 6, 6), (len(weights), 3, 3))


KINDS = {
    gemm: (80,),
    matmul_add: (7, 80),
    matmul: (7, 80),
    convolution: (80, 6, 6),
}


def samples(shape, count=60):
    """Channels have what they share, and a mean."""
    width = 80
    flat = RNG.normal(size=(count * int(np.prod(shape)) // width, 20)) @ RNG.normal(size=(20, width))
    flat = flat + 0.05 * RNG.normal(size=flat.shape) + 3 * RNG.normal(size=width)
    rows = flat.reshape(count, -1, width)
    rows = np.moveaxis(rows, 1, 2) if shape[0] == width else rows
    return Rows(rows.reshape(count, *shape).astype(np.float32))


def outputs(model, x):
    return ort_session(model, threads=1).run(["y"], {"x": x})[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_low_rank_computes_the_same(kind):
    data, model = samples(KINDS[kind]), kind(low(96, 80, 6))
    smaller, [layer] = low_rank(model, data, keep=0.3)
    assert (layer.name, layer.inputs, layer.outputs) == ("dense", 80, 96)
    assert 6 <= layer.rank <= 0.3 * 80 * 96 / (80 + 96) and layer.error < 1e-6
    assert layer.macs <= 0.3 * layer.macs_before
    onnx.checker.check_model(smaller, full_check=True)
    [scale] = {float(np.abs(outputs(model, data.rows)).max())}
    np.testing.assert_allclose(outputs(smaller, data.rows), outputs(model, data.rows), atol=1e-5 * scale)


def test_a_layer_of_many_inputs_takes_no_memory_of_their_square():
    """100,000 inputs squared are 80 GB; the first dense layer behind a flatten has so many."""
    weights = low(8, 100_000, 2)
    data = Rows(RNG.normal(size=(8, 100_000)).astype(np.float32))
    smaller, [layer] = low_rank(gemm(weights), data, keep=0.3)
    assert (layer.inputs, layer.outputs, layer.rank) == (100_000, 8, 2)
    exact = outputs(gemm(weights), data.rows)
    assert layer.error < 1e-6 and outputs(smaller, data.rows).shape == exact.shape


@pytest.mark.parametrize("kind", KINDS)
def test_names_batch_and_opset_stay(kind):
    model = kind(low(96, 80, 6))
    smaller, _ = low_rank(model, samples(KINDS[kind]), keep=0.3)
    assert {n.name for n in model.graph.node} <= {n.name for n in smaller.graph.node}
    assert smaller.opset_import == model.opset_import and smaller.graph.input == model.graph.input
    assert len(smaller.graph.node) == len(model.graph.node) + 1
    stored = [numpy_helper.to_array(t).size for t in smaller.graph.initializer]
    assert sum(stored) < 0.4 * 96 * 80  # the whole weight is gone


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_the_one_that_is_told_and_less_than_without_the_data(kind):
    data, weights = samples(KINDS[kind]), RNG.normal(size=(96, 80))
    model = kind(weights)
    smaller, [layer] = low_rank(model, data, keep=0.4)
    exact, found = (outputs(m, data.rows).astype(np.float64) for m in (model, smaller))
    axis = 1 if kind is convolution else -1
    exact, found = (np.moveaxis(v, axis, -1).reshape(-1, 96) for v in (exact, found))
    about = 0 if kind is matmul else exact.mean(axis=0)
    told = np.mean(np.square(found - exact)) / np.mean(np.square(exact - about))
    assert told == pytest.approx(layer.error, rel=0.2, abs=2e-4)
    if kind is not matmul:  # the mean error is in the bias
        np.testing.assert_allclose((found - exact).mean(axis=0), 0, atol=1e-3 * np.abs(exact).max())
    left, values, right = np.linalg.svd(weights)
    plain = left[:, : layer.rank] * values[: layer.rank] @ right[: layer.rank]
    by_weights = np.sum(np.square(weights - plain)) / np.sum(np.square(weights))
    assert layer.error < by_weights / 3


def test_a_layer_that_the_outputs_hardly_hear_gives_most() -> None:
    names, nodes = ("loud", "quiet"), []
    for name in names:
        nodes.append(helper.make_node("MatMul", ["x", f"{name}.w"], [f"{name}.y"], name=name))
    nodes.append(helper.make_node("Mul", ["quiet.y", "hundredth"], ["less"], name="less"))
    nodes.append(helper.make_node("Add", ["loud.y", "less"], ["y"], name="sum"))
    constants = {f"{name}.w": RNG.normal(size=(80, 96)) for name in names}
    model = graph(nodes, {**constants, "hundredth": [0.01]}, (80,), (96,))
    _, layers = low_rank(model, samples((80,)), keep=0.4)
    ranks = {layer.name: layer.rank for layer in layers}
    assert ranks["quiet"] < ranks["loud"] / 2


def test_what_is_shared_or_small_stays_whole():
    w = low(96, 96, 4)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], name="one"),
        helper.make_node("MatMul", ["p", "w"], ["q"], name="again"),
        helper.make_node("MatMul", ["q", "v"], ["r"], name="own"),
        helper.make_node("MatMul", ["r", "s"], ["y"], name="small"),
    ]
    model = graph(nodes, {"w": w, "v": low(96, 96, 4), "s": low(96, 4, 1)}, (96,), (4,))
    smaller, layers = low_rank(model, Rows(RNG.normal(size=(50, 96)).astype(np.float32)), keep=0.5)
    assert [layer.name for layer in layers] == ["own"]
    assert [n.name for n in smaller.graph.node] == ["one", "again", "own.inner", "own", "small"]


def test_what_cannot_be_made_smaller_is_refused():
    data = samples((80,))
    with pytest.raises(ModelRefused, match="no linear or 1x1 layer"):
        low_rank(gemm(RNG.normal(size=(4, 80))), data, keep=0.5)
    with pytest.raises(ModelRefused, match="cannot be made as small as 1%"):
        low_rank(gemm(RNG.normal(size=(96, 80))), data, keep=0.01)
