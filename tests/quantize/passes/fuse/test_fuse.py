"""Each rewrite: the float graph computes the same, onnxruntime finds more integer kernels, a second run changes nothing."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs import float_graph
from edgeq.graphs.ort_session import ort_session
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.passes.fuse import fused
from edgeq.quantize.passes.small_convs import unprofitable_convolutions
from tests.quantize.networks import Rows, images, model_of

U8S8 = Scheme("uint8", "int8", True)
SAMPLES = Rows(images(8, shape=(32, 16, 16)))
RGB = Rows(images(8))
WHOLE = "whole image"


def network(*between, channels=32, constants=None, out=(1, 8, "h", "w")):
    """Conv "first" (x to a), then nodes that end in b, then Conv "last" (b to y)."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(scale=0.1, size=(32, channels, 3, 3)).astype(np.float32), "w0"),
        numpy_helper.from_array(rng.normal(scale=0.2, size=(8, 32, 1, 1)).astype(np.float32), "w1"),
        *(numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], name="first", pads=[1] * 4),
        *(
            helper.make_node(kind, inputs, [output], name=output, **facts)
            for kind, inputs, output, facts in between
        ),
        helper.make_node("Conv", ["b", "w1"], ["y"], name="last"),
    ]
    return model_of(nodes, weights, [("x", (1, channels, 16, 16))], [("y", out)])


def read(model, tmp_path):
    onnx.save(model, str(tmp_path / "float.onnx"))
    return float_graph.read(tmp_path / "float.onnx")


def quantized(graph, path, samples=SAMPLES, move_ops_in_int8=True, in_float=(), scheme=U8S8):
    ranges = ranges_of(calibrate_onnx(graph, samples, False), "minmax")
    qdq.emit(graph, path, scheme, ranges, frozenset(in_float), move_ops_in_int8=move_ops_in_int8)
    return path


def outputs(path_or_model, samples=SAMPLES):
    session = ort_session(path_or_model, threads=1)
    return np.stack([session.run(None, {"x": samples[i][0]})[0] for i in range(samples.count)])


def pairs_left(path, scheme=U8S8):
    return onnx_fusion(path, scheme)[0].qdq_pairs_left


def roundings(path):
    return [n.op_type for n in onnx.load(str(path)).graph.node].count("QuantizeLinear")


def noise(path, graph, samples=SAMPLES):
    return float(((outputs(str(path), samples) - outputs(graph, samples)) ** 2).sum())


INT = np.int64
REWRITTEN = {
    "ReduceMean over the image": (("ReduceMean", ["a"], "b", {"axes": [2, 3], "keepdims": 1}),),
    "AveragePool over the image": (("AveragePool", ["a"], "b", {"kernel_shape": [16, 16]}),),
    "Relu beside Add": (("Relu", ["a"], "r", {}), ("Add", ["a", "r"], "b", {})),
}


@pytest.mark.arithmetic
@pytest.mark.parametrize("between", REWRITTEN.values(), ids=REWRITTEN)
def test_fewer_qdq_pairs_remain_and_float_is_the_same(between, tmp_path):
    model = read(network(*between), tmp_path)
    found = fused(model, small_convs_in_float=False)
    np.testing.assert_allclose(outputs(found.model), outputs(model), rtol=1e-5, atol=1e-5)
    assert len(found.changes) == 1 and not fused(found.model, small_convs_in_float=False).changes
    before, after = (
        quantized(model, tmp_path / "before.onnx"),
        quantized(found.model, tmp_path / "after.onnx"),
    )
    assert pairs_left(after) <= pairs_left(before)
    assert noise(after, model) <= 1.25 * noise(before, model)  # 64 values at least: 1 dB is luck


@pytest.mark.parametrize("counted", [0, 1])
def test_an_average_pool_becomes_a_convolution_where_padding_counts(counted, tmp_path):
    facts = {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2], "count_include_pad": counted}
    model = read(network(("AveragePool", ["a"], "b", facts)), tmp_path)
    found = fused(model, small_convs_in_float=False)
    kinds = {n.name: n.op_type for n in found.model.graph.node}
    assert kinds["b"] == ("Conv" if counted else "AveragePool")
    np.testing.assert_allclose(outputs(found.model), outputs(model), rtol=1e-5, atol=1e-5)


MOVES = {
    "Pad": (("Pad", ["a", "pads"], "b", {}), {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], INT)}),
    "reflecting Pad": (
        ("Pad", ["a", "pads"], "b", {"mode": "reflect"}),
        {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], INT)},
    ),
    "Expand": (("Expand", ["a", "to"], "b", {}), {"to": np.array([1, 32, 16, 16], INT)}),
    "Slice": (
        ("Slice", ["a", "from", "to", "axis"], "b", {}),
        {"from": np.array([1], INT), "to": np.array([9], INT), "axis": np.array([2], INT)},
    ),
}


@pytest.mark.parametrize("scheme", [U8S8, Scheme("int8", "int8", True)], ids=str)
@pytest.mark.parametrize(("node", "constants"), MOVES.values(), ids=MOVES)
def test_operators_that_move_values_do_so_on_integers(node, constants, scheme, tmp_path):
    model = read(network(node, constants=constants), tmp_path)
    before = quantized(model, tmp_path / "before.onnx", move_ops_in_int8=False, scheme=scheme)
    after = quantized(model, tmp_path / "after.onnx", scheme=scheme)
    assert noise(after, model) <= 1.02 * noise(before, model)
    assert roundings(after) == roundings(before) - 1
    assert pairs_left(after, scheme) <= pairs_left(before, scheme)


ACTIVATIONS = {"Relu": ("Relu", ["m"], "r", {}), "Clip": ("Clip", ["m", "low", "high"], "r", {})}
MOVES = {
    "Reshape": (("Reshape", ["a", "flat"], "m", {}), ("Reshape", ["r", "image"], "b", {})),
    "Transpose": (
        ("Transpose", ["a"], "m", {"perm": [0, 1, 3, 2]}),
        ("Transpose", ["r"], "b", {"perm": [0, 1, 3, 2]}),
    ),
}


@pytest.mark.parametrize("scheme", [U8S8, Scheme("int8", "int8", True)], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_move_before_an_activation_keeps_the_scale_of_its_output(move, activation, scheme, tmp_path):
    """onnxruntime's quantizer removes the activation where the scale behind it clips the same: that scale must stay."""
    constants = {"flat": np.array([1, 32, 256]), "image": np.array([1, 32, 16, 16])}
    constants |= {"low": np.float32(0), "high": np.float32(6)}
    model = read(network(move[0], activation, move[1], constants=constants), tmp_path)
    path = quantized(model, tmp_path / "q.onnx", scheme=scheme)
    assert noise(path, model) < 1e-2 * float((outputs(model) ** 2).sum())


def test_a_pad_with_another_value_keeps_its_qdq_pair(tmp_path):
    constants = {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], INT), "value": np.float32(3.0)}
    model = read(network(("Pad", ["a", "pads", "value"], "b", {}), constants=constants), tmp_path)
    paths = [quantized(model, tmp_path / f"{moves}.onnx", move_ops_in_int8=moves) for moves in (True, False)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def pooled(activation="Relu"):
    pool = ("MaxPool", ["r"], "b", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4})
    return network((activation, ["a"], "r", {}), pool, channels=3)


def test_a_small_convolution_is_pooled_in_float_to_the_bit(tmp_path):
    model = read(pooled(), tmp_path)
    found = fused(model, small_convs_in_float=True)
    assert [n.op_type for n in found.model.graph.node] == ["Conv", "Relu", "MaxPool", "Max", "Conv"]
    assert found.in_float.keys() == {"b", "r"} and unprofitable_convolutions(found.model).keys() == {"first"}
    np.testing.assert_array_equal(outputs(found.model, RGB), outputs(model, RGB))
    in_float = found.in_float.keys() | {"first"}
    path = quantized(found.model, tmp_path / "after.onnx", RGB, in_float=in_float)
    assert pairs_left(path) == 1  # the output
    assert noise(path, model, RGB) < noise(quantized(model, tmp_path / "before.onnx", RGB), model, RGB)
    assert not fused(found.model, small_convs_in_float=True).changes


@pytest.mark.parametrize(("channels", "small_convs_in_float"), [(3, False), (32, True)])
def test_integers_are_pooled_where_the_convolution_is_quantized(channels, small_convs_in_float, tmp_path):
    pool = ("MaxPool", ["r"], "b", {"kernel_shape": [3, 3]})
    model = read(network(("Relu", ["a"], "r", {}), pool, channels=channels), tmp_path)
    assert fused(model, small_convs_in_float=small_convs_in_float).model.graph.node == model.graph.node


def test_the_tail_behind_an_operator_without_an_integer_kernel_is_float(tmp_path):
    between = (("Relu", ["a"], "b", {}),)
    graph = network(*between)
    graph.graph.node.extend(
        [
            helper.make_node("Exp", ["y"], ["e"], name="exp"),
            helper.make_node("Mul", ["e", "half"], ["m"], name="mul"),
            helper.make_node("Concat", ["m", "y"], ["z"], name="concat", axis=1),
        ]
    )
    graph.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    graph.graph.output[0].name = "z"
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 16
    model = read(graph, tmp_path)
    found = fused(model, small_convs_in_float=False)
    assert found.in_float.keys() == {"mul", "concat"}
    before = quantized(model, tmp_path / "before.onnx")
    after = quantized(found.model, tmp_path / "after.onnx", in_float=found.in_float)
    assert pairs_left(after) <= pairs_left(before) and roundings(after) < roundings(before)
    assert noise(after, model) < 1.05 * noise(before, model)  # what is left is made before the tail
