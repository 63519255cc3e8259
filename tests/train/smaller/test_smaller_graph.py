"""A float graph loses channels and branches until it has so many multiply-accumulates, those first that its outputs need least."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from edgeq.errors import ModelRefused
from edgeq.graphs.input_shapes import sized
from edgeq.graphs.macs import onnx_macs
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at
from edgeq.train.batches import Batch
from edgeq.train.float_network import FloatNetwork
from edgeq.train.smaller.branches import branches_of, without_branch
from edgeq.train.smaller.channel_flow import channel_units
from edgeq.train.smaller.choice import fewer_channels
from edgeq.train.smaller.distilled import pruned
from edgeq.train.smaller.importance import Outputs, activations_of, importance_of
from edgeq.train.smaller.kernel_time import call_price, macs_of_layers
from edgeq.train.smaller.smaller_graph import smaller_graph
from tests.train.residual_network import images, network

from .graphs import graph

CHAIN = """(float[N,3,8,8] x) => (float[N,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[32,3,3,3], a_b[32])
    ar = Relu(a)
    b = Conv<pads=[1,1,1,1]>(ar, b_w[32,32,3,3], b_b[32])
    br = Relu(b)
    m = GlobalAveragePool(br)
    f = Flatten(m)
    y = Gemm<transB=1>(f, y_w[4,32], y_b[4])
}"""
BRANCHES = """(float[1,3,8,8] x) => (float[1,4,8,8] y) {
    a = Conv<pads=[1,1,1,1]>(x, a_w[8,3,3,3], a_b[8])
    b = Conv<pads=[1,1,1,1]>(a, b_w[8,8,3,3], b_b[8])
    br = Relu(b)
    c = Conv<pads=[1,1,1,1]>(br, c_w[8,8,3,3], c_b[8])
    d = Add(c, a)
    e = Conv<pads=[1,1,1,1]>(d, e_w[8,8,3,3], e_b[8])
    f = Add(d, e)
    y = Conv(f, y_w[4,8,1,1])
}"""


def batch(count: int = 32, *, seed: int = 0) -> Batch:
    x = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return Batch((x,), None, np.arange(count))


def smaller(model: onnx.ModelProto, share: float, call: int = 0, **others: bool) -> onnx.ModelProto:
    outputs = Outputs(("y",), None)
    return smaller_graph(model, {"x": (1, 3, 8, 8)}, share, outputs, [batch()], call=call, **others)


def macs(model: onnx.ModelProto) -> int:
    return onnx_macs(sized(copied(model), {"x": (1, 3, 8, 8)}))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_so_many_multiply_accumulates_are_left(share: float) -> None:
    model = graph(CHAIN)
    made = smaller(model, share)
    assert 0.9 * share < macs(made) / macs(model) <= share


def test_a_batch_of_any_size_stays_one() -> None:
    made = smaller(graph(CHAIN), 0.5)
    x = np.zeros((3, 3, 8, 8), np.float32)
    assert ort_session(made, threads=1).run(None, {"x": x})[0].shape == (3, 4)


def test_nothing_goes_where_nothing_is_asked_for() -> None:
    model = graph(CHAIN)
    assert macs(smaller(model, 1.0)) == macs(model)


def test_more_than_can_go_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"only 9\d\.\d% of the multiply-accumulates can be removed"):
        smaller(graph(CHAIN), 0.001)


def test_channels_that_do_nothing_go_first() -> None:
    """Half of the inner channels reach no output."""
    model = graph(CHAIN)
    dead = np.arange(32) % 2 == 1
    set_columns(model, "b_w", dead, 0.0)
    made = smaller(model, 0.55)
    x = {"x": batch(4).inputs[0].numpy()}
    expected, got = (ort_session(m, threads=1).run(None, x)[0] for m in (model, made))
    assert got == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("share", [0.7, 0.3])
def test_channels_ranked_by_activations_leave_as_many_products(share: float) -> None:
    model = graph(CHAIN)
    made = smaller(model, share, by_activations=True)
    assert 0.9 * share < macs(made) / macs(model) <= share


def test_by_activations_channels_that_a_relu_makes_zero_go_first() -> None:
    """Half of the first layer's channels have a bias far below zero: removing them changes nothing."""
    model = graph(CHAIN)
    silent = np.arange(32) % 2 == 0
    bias = next(t for t in model.graph.initializer if t.name == "a_b")
    values = np.where(silent, np.float32(-100.0), numpy_helper.to_array(bias))
    bias.CopyFrom(numpy_helper.from_array(values.astype(np.float32), "a_b"))
    fixed = sized(copied(model), {"x": (1, 3, 8, 8)})
    found = channel_units(fixed)
    got = activations_of(fixed, found, [batch()]).units[found.channels["a"].units]
    assert not got[silent].any() and got[~silent].min() > 0
    made = smaller(model, 0.55, by_activations=True)
    x = {"x": batch(4).inputs[0].numpy()}
    expected, mine = (ort_session(m, threads=1).run(None, x)[0] for m in (model, made))
    assert mine == pytest.approx(expected, abs=1e-4)


def test_importance_by_activations_is_their_share_of_what_a_layer_reads() -> None:
    model = graph(CHAIN)
    fixed = sized(copied(model), {"x": (1, 3, 8, 8)})
    found = channel_units(fixed)
    session = ort_session(ending_at(fixed, ["ar"]), threads=1)
    x = batch().inputs[0].numpy()
    read = np.concatenate([session.run(None, {"x": each[None]})[0] for each in x]).mean((0, 2, 3))
    importance = activations_of(fixed, found, [batch()])
    assert importance.units[found.channels["a"].units] == pytest.approx(read / read.sum(), rel=1e-4)
    assert importance.means["b"] == pytest.approx(read, rel=1e-4)


def test_importance_is_what_the_outputs_lose() -> None:
    """For a linear graph the first term is all of it: removing a channel costs the variance that it brings, relative to the whole."""
    model = graph("""(float[N,3,8,8] x) => (float[N,1,8,8] y) {
        a = Conv(x, a_w[6,3,1,1])
        y = Conv(a, y_w[1,6,1,1])
    }""")
    fixed = sized(copied(model), {"x": (1, 3, 8, 8)})
    found = channel_units(fixed)
    many = [batch(64, seed=s) for s in range(40)]
    got = importance_of(fixed, found, Outputs(("y",), None), many).units[found.channels["a"].units]
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    parts = weights["y_w"][0, :, 0, 0][:, None] * weights["a_w"][:, :, 0, 0]
    expected = np.square(parts).sum(1) / np.square(parts.sum(0)).sum()
    assert got == pytest.approx(expected, rel=0.25)


def test_a_group_keeps_a_multiple_that_kernels_are_fast_with() -> None:
    fixed = sized(graph(CHAIN), {"x": (1, 3, 8, 8)})
    found = channel_units(fixed)
    random = np.random.default_rng(0).random(200)
    removed = fewer_channels(found.layers, random, int(0.6 * macs_of_layers(found.layers)))
    left = [int((~removed[layer.outputs]).sum()) for layer in found.layers]
    assert [count % 8 for count in left[:2]] == [0, 0]


def test_residual_branches_are_found() -> None:
    found = {(b.addition, b.kept, b.layers) for b in branches_of(graph(BRANCHES))}
    assert ("d", 1, ("b", "c")) in found
    assert ("f", 0, ("e",)) in found
    assert not any(addition == "d" and kept == 0 and "a" in layers for addition, kept, layers in found)


def test_a_branch_that_gives_nothing_can_go() -> None:
    model = graph(BRANCHES)
    set_columns(model, "c_w", np.ones(8, bool), 0.0)
    set_values(model, "c_b", np.zeros(8))
    [branch] = [b for b in branches_of(model) if (b.addition, b.kept) == ("d", 1)]
    made = without_branch(model, branch)
    x = {"x": batch(1).inputs[0].numpy()}
    expected, got = (ort_session(m, threads=1).run(None, x)[0] for m in (model, made))
    assert got == pytest.approx(expected, abs=1e-6)
    assert len(made.graph.node) == len(model.graph.node) - 4
    assert {t.name for t in made.graph.initializer}.isdisjoint({"b_w", "c_w"})


def test_where_calls_are_dear_branches_go_rather_than_channels() -> None:
    model = graph(BRANCHES)
    for name in ("c", "e"):
        set_values(model, f"{name}_w", 0.05 * values_of(model, f"{name}_w"))
    dear, cheap = smaller(model, 0.7, call=10**7), smaller(model, 0.7, call=0)
    assert layers(dear) < layers(model)
    assert layers(cheap) >= layers(dear)


def test_prices_follow_the_flags_of_the_cpu() -> None:
    vnni, dot, old = (
        call_price(("avx2", "avx512_vnni")),
        call_price(("asimd", "asimddp")),
        call_price(("neon",)),
    )
    assert vnni > dot > old


def test_pruning_needs_no_labels_and_keeps_what_classes_are_told_by() -> None:
    model, known = network(), images(128, labelled=False)
    made = pruned(model, known, 0.3, call=0)
    assert onnx_macs(made) <= 0.7 * onnx_macs(model)
    same = np.mean([answer(model, known[i][0]) == answer(made, known[i][0]) for i in range(known.count)])
    assert same > 0.7


def test_a_float_network_is_its_graph() -> None:
    model = graph(CHAIN)
    learner = FloatNetwork(model).eval()
    x = batch(2).inputs[0]
    with torch.no_grad():
        got = learner(x)[0].numpy()
    assert got == pytest.approx(ort_session(model, threads=1).run(None, {"x": x.numpy()})[0], abs=1e-5)
    assert learner.model().SerializeToString() == model.SerializeToString()


def test_what_a_float_network_learned_is_written() -> None:
    model = graph(CHAIN)
    learner = FloatNetwork(model)
    with torch.no_grad():
        learner.graph.weights["y_b"].add_(1.0)
    assert values_of(learner.model(), "y_b") == pytest.approx(values_of(model, "y_b") + 1.0)


def answer(model: onnx.ModelProto, x: np.ndarray) -> int:
    return int(ort_session(model, threads=1).run(None, {"x": x})[0].argmax())


def layers(model: onnx.ModelProto) -> int:
    return sum(node.op_type == "Conv" for node in model.graph.node)


def values_of(model: onnx.ModelProto, name: str) -> np.ndarray:
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


def set_values(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def set_columns(model: onnx.ModelProto, name: str, which: np.ndarray, value: float) -> None:
    changed = values_of(model, name).copy()
    changed[:, which] = value
    set_values(model, name, changed)


def test_weights_that_an_old_file_lists_as_inputs_are_none() -> None:
    model = graph(CHAIN)
    model.graph.input.append(onnx.helper.make_tensor_value_info("b_w", 1, [32, 32, 3, 3]))
    made = smaller(model, 0.5)
    assert [value.name for value in made.graph.input] == ["x"]
