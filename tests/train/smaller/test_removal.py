"""A graph without some channels computes what the whole one does where the weights that make and read them are zero."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import attributes
from edgeq.graphs.ort_session import ort_session
from edgeq.train.smaller.channel_flow import channel_units
from edgeq.train.smaller.layers import ChannelUnits
from edgeq.train.smaller.removal import still_there, without_units
from edgeq.train.smaller.units import KEPT

from .graphs import graph

RESIDUAL = """(float[1,3,8,8] x) => (float[1,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
    ar = Relu(a)
    b = Conv<pads=[1,1,1,1]>(ar, b_w[8,8,3,3], b_b[8])
    br = Relu(b)
    c = Conv<pads=[1,1,1,1]>(br, c_w[8,8,3,3])
    d = Add(c, ar)
    e = GlobalAveragePool(d)
    f = Flatten(e)
    y = Gemm<transB=1>(f, g_w[4,8], g_b[4])
}"""
INVERTED = """(float[1,3,8,8] x) => (float[1,6,8,8] y) {
    a = Conv(x, a_w[12,3,1,1], a_b[12])
    low = Constant<value_float=0.0>()
    high = Constant<value_float=6.0>()
    ac = Clip(a, low, high)
    b = Conv<pads=[1,1,1,1], group=12>(ac, b_w[12,1,3,3], b_b[12])
    y = Conv(b, c_w[6,12,1,1])
}"""
GATED = """(float[1,3,8,8] x) => (float[1,4,8,8] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
    m = GlobalAveragePool(a)
    s = Conv(m, s_w[4,8,1,1], s_b[4])
    sr = Relu(s)
    t = Conv(sr, t_w[8,4,1,1], t_b[8])
    gate = Sigmoid(t)
    g = Mul(a, gate)
    slope = PRelu(g, p[8,1,1])
    n = BatchNormalization(slope, n_s[8], n_b[8], n_m[8], n_v[8])
    y = Conv(n, y_w[4,8,1,1])
}"""
SIDE_BY_SIDE = """(float[1,3,8,8] x) => (float[1,10] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
    b = Conv<pads=[1,1,1,1]>(x, b_w[6,3,3,3], b_b[6])
    c = Concat<axis=1>(a, b)
    sizes = Constant<value_ints=[9, 5]>()
    d, e = Split<axis=1>(c, sizes)
    f = Concat<axis=1>(e, d)
    g = MaxPool<kernel_shape=[2,2], strides=[2,2]>(f)
    h = Flatten(g)
    i = Gemm<transB=1>(h, i_w[16,224], i_b[16])
    j = Relu(i)
    k = MatMul(j, k_w[16,10])
    y = Add(k, k_b[10])
}"""
SHUFFLED = """(float[1,3,4,4] x) => (float[1,5,4,4] y) {
    a = Conv(x, a_w[12,3,1,1], a_b[12])
    apart = Constant<value_ints=[1, 3, 4, 4, 4]>()
    b = Reshape(a, apart)
    c = Transpose<perm=[0,2,1,3,4]>(b)
    together = Constant<value_ints=[1, 12, 4, 4]>()
    d = Reshape(c, together)
    g = Conv<group=3>(d, g_w[12,4,1,1], g_b[12])
    y = Conv(g, y_w[5,12,1,1])
}"""
PADDED = """(float[1,3,8,8] x) => (float[1,5,4,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
    starts = Constant<value_ints=[0, 0]>()
    ends = Constant<value_ints=[8, 8]>()
    axes = Constant<value_ints=[2, 3]>()
    steps = Constant<value_ints=[2, 2]>()
    s = Slice(a, starts, ends, axes, steps)
    pads = Constant<value_ints=[0, 4, 0, 0, 0, 4, 0, 0]>()
    p = Pad(s, pads)
    b = Conv<pads=[1,1,1,1], strides=[2,2]>(a, b_w[16,8,3,3], b_b[16])
    c = Add(b, p)
    first = Constant<value_ints=[2]>()
    last = Constant<value_ints=[14]>()
    channel = Constant<value_ints=[1]>()
    d = Slice(c, first, last, channel)
    order = Constant<value_ints=[11, 0, 5, 5, 3, 2]>()
    e = Gather<axis=1>(d, order)
    y = Conv(e, y_w[5,6,1,1])
}"""
ATTENTION = """(float[1,6,8] x) => (float[1,6,5] y) {
    q = MatMul(x, q_w[8,16])
    k = MatMul(x, k_w[8,16])
    v = MatMul(x, v_w[8,16])
    heads = Constant<value_ints=[0, 0, 4, 4]>()
    qh = Reshape(q, heads)
    kh = Reshape(k, heads)
    vh = Reshape(v, heads)
    qt = Transpose<perm=[0,2,1,3]>(qh)
    kt = Transpose<perm=[0,2,3,1]>(kh)
    vt = Transpose<perm=[0,2,1,3]>(vh)
    s = MatMul(qt, kt)
    w = Softmax(s)
    o = MatMul(w, vt)
    ot = Transpose<perm=[0,2,1,3]>(o)
    joined = Constant<value_ints=[0, 0, -1]>()
    oj = Reshape(ot, joined)
    z = MatMul(oj, z_w[16,12])
    r = Relu(z)
    y = MatMul(r, y_w[12,5])
}"""
UPSAMPLED = """(float[1,3,4,4] x) => (float[1,5,8,8] y) {
    a = Conv(x, a_w[8,3,1,1], a_b[8])
    b = ConvTranspose<strides=[2,2], kernel_shape=[2,2]>(a, b_w[8,6,2,2], b_b[6])
    none = Constant<value_floats=[1.0, 1.0, 2.0, 2.0]>()
    c = Resize<mode="nearest">(a, "", none)
    d = Concat<axis=1>(b, c)
    y = Conv(d, y_w[5,14,1,1])
}"""

GRAPHS = {
    "residual": RESIDUAL,
    "inverted": INVERTED,
    "gated": GATED,
    "side by side": SIDE_BY_SIDE,
    "shuffled": SHUFFLED,
    "padded": PADDED,
    "attention": ATTENTION,
    "upsampled": UPSAMPLED,
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("seed", range(4))
def test_removed_channels_change_nothing_but_what_read_them(name: str, seed: int) -> None:
    model = positive_variances(graph(GRAPHS[name]))
    found = channel_units(model)
    removed = some_units(found, seed)
    assert removed.any()
    smaller = without_units(model, found, removed)
    onnx.checker.check_model(smaller, full_check=True)
    x = np.random.default_rng(seed).normal(size=shape_of(model)).astype(np.float32)
    expected, got = run(with_channels_at_zero(model, found, removed), x), run(smaller, x)
    assert got == pytest.approx(expected, abs=1e-5)
    assert size(smaller) < size(model)


@pytest.mark.parametrize(
    ("name", "layer", "together"),
    [("residual", "a", "c"), ("inverted", "a", "b"), ("gated", "a", "t"), ("padded", "b", "b")],
)
def test_channels_that_are_added_or_multiplied_go_together(name: str, layer: str, together: str) -> None:
    layers = {each.output: each for each in channel_units(graph(GRAPHS[name])).layers}
    assert np.array_equal(layers[layer].outputs, layers[together].outputs)
    assert not np.any(layers[layer].outputs == KEPT)


def test_heads_lose_the_same_columns() -> None:
    layers = {each.output: each for each in channel_units(graph(ATTENTION)).layers}
    by_head = layers["q"].outputs.reshape(4, 4)
    assert np.array_equal(by_head, np.broadcast_to(by_head[:1], (4, 4)))
    assert np.array_equal(layers["q"].outputs, layers["k"].outputs)
    assert not set(layers["q"].outputs) & set(layers["v"].outputs)


@pytest.mark.parametrize("name", GRAPHS)
def test_outputs_of_the_graph_are_kept(name: str) -> None:
    found = channel_units(graph(GRAPHS[name]))
    assert "y" not in found.channels


def test_what_an_unknown_operator_reads_is_kept() -> None:
    found = channel_units(
        graph("""(float[1,3,8,8] x) => (float[1,4,8,8] y) {
            a = Conv(x, a_w[8,3,1,1])
            b = LRN<size=3>(a)
            y = Conv(b, y_w[4,8,1,1])
        }""")
    )
    assert not found.channels


def test_the_mean_of_what_goes_is_in_the_bias() -> None:
    """Of a channel that is the same everywhere nothing is lost."""
    model = graph("""(float[1,3,4,4] x) => (float[1,4,4,4] y) {
        a = Conv(x, a_w[8,3,1,1], a_b[8])
        y = Conv(a, y_w[4,8,1,1])
    }""")
    stored = {t.name: t for t in model.graph.initializer}
    weights = numpy_helper.to_array(stored["a_w"]).copy()
    weights[2] = 0.0  # its channel is its bias
    stored["a_w"].CopyFrom(numpy_helper.from_array(weights, "a_w"))
    found = channel_units(model)
    [constant] = found.channels["a"].units[2:3]
    removed = np.zeros(20, bool)
    removed[constant] = True
    means = numpy_helper.to_array(stored["a_b"]).astype(np.float64)
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)
    smaller = without_units(model, found, removed, {"y": means})
    assert run(smaller, x) == pytest.approx(run(model, x), abs=1e-5)


def some_units(found: ChannelUnits, seed: int) -> np.ndarray:
    """About a third, at least one, so that something is left everywhere."""
    units = np.unique(np.concatenate([u for layer in found.layers for u in (layer.outputs, layer.inputs)]))
    removed = np.zeros(units.max() + 1, bool)
    for unit in np.random.default_rng(seed).permutation(units[units != KEPT]):
        removed[unit] = True
        removed[unit] = still_there(found, removed)
        if removed.sum() > len(units) / 3:
            break
    return removed


def with_channels_at_zero(
    model: onnx.ModelProto, found: ChannelUnits, removed: np.ndarray
) -> onnx.ModelProto:
    changed = copied(model)
    stored = {t.name: t for t in changed.graph.initializer}
    nodes = {node.output[0]: node for node in changed.graph.node}
    for layer in found.layers:
        node = nodes[layer.output]
        weights = numpy_helper.to_array(stored[node.input[1]]).copy()
        across = node.op_type in ("MatMul", "ConvTranspose") or (
            node.op_type == "Gemm" and not attributes(node).get("transB")
        )
        if layer.groups == 1:
            np.moveaxis(weights, 0 if across else 1, 0)[removed[layer.inputs]] = 0.0
        elif weights.shape[1] > 1:
            weights[:, removed[layer.inputs]] = 0.0
        if layer.groups == 1:
            np.moveaxis(weights, 1 if across else 0, 0)[removed[layer.outputs]] = 0.0
        stored[node.input[1]].CopyFrom(numpy_helper.from_array(weights, node.input[1]))
    return changed


def positive_variances(model: onnx.ModelProto) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.name == "n_v":
            tensor.CopyFrom(numpy_helper.from_array(np.abs(numpy_helper.to_array(tensor)) + 0.5, "n_v"))
    return model


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    return np.asarray(ort_session(model, threads=1).run(None, {"x": x})[0])


def shape_of(model: onnx.ModelProto) -> list[int]:
    return [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]


def size(model: onnx.ModelProto) -> int:
    return sum(int(np.prod(t.dims)) for t in model.graph.initializer)
