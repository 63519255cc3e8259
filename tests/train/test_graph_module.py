"""An ONNX graph as a torch module: the outputs of onnxruntime for any batch, and gradients for every weight."""

import copy

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgeq.errors import DataRefused, ModelRefused
from edgeq.graphs.ort_session import ort_session
from edgeq.train.graph_module import GraphModule
from tests.quantize.networks import images, inside_if, model_of, residual, two_scales
from tests.train.onnx_runs import agree as agree_on_samples
from tests.train.onnx_runs import normal, single


def from_onnxruntime(model, *feeds):
    """The outputs for each sample, as the graph shapes them."""
    session = ort_session(model, threads=1)
    names = [i.name for i in session.get_inputs()]
    return [session.run(None, dict(zip(names, feed, strict=True))) for feed in feeds]


def agree(module, model, rows, within=1e-5):
    """All outputs for all rows at once, next to onnxruntime's for one row at a time."""
    found = module(torch.from_numpy(rows))
    for k, row in enumerate(rows):
        expected = from_onnxruntime(model, (row[None],))[0]
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(
                one[k].reshape(other.shape),
                torch.from_numpy(other),
                rtol=within,
                atol=within * abs(other).max(),
            )


def weights(**arrays):
    return [numpy_helper.from_array(np.asarray(a), name) for name, a in arrays.items()]


@pytest.mark.parametrize("network", [residual, two_scales])
def test_a_batch_gives_what_onnxruntime_gives_for_each_sample(network):
    model = network()
    agree(GraphModule(model), model, images(3))


def test_a_gradient_reaches_every_weight():
    module = GraphModule(residual())
    module(torch.from_numpy(images(4)))[0].square().sum().backward()
    assert len(module.weights) == 11
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in module.parameters())


def test_weights_have_the_names_of_the_file():
    module = GraphModule(residual())
    model = residual()
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    assert set(module.weights) == set(stored)
    assert np.array_equal(module.weights["one.a.w"].detach(), stored["one.a.w"])
    restored = GraphModule(residual())
    restored.load_state_dict(module.state_dict())


def test_a_reshape_to_a_fixed_batch_of_one_takes_any_batch():
    node = helper.make_node
    nodes = [
        node("Reshape", ["x", "rows"], ["r"], name="r"),
        node("MatMul", ["r", "w"], ["m"], name="m"),
        node("Transpose", ["m"], ["t"], name="t", perm=[1, 0]),
        node("Softmax", ["t"], ["s"], name="s", axis=0),
        node("Reshape", ["s", "flat"], ["y"], name="y"),
    ]
    stored = weights(rows=np.array([6, 4]), flat=np.array([1, -1]), w=normal(4, 5))
    model = model_of(nodes, stored, [("x", (1, 2, 3, 4))], [("y", (1, 30))])
    agree(GraphModule(model), model, normal(3, 2, 3, 4))


def test_samples_do_not_mix_along_the_first_axis():
    """Each of these works along the axis in whose place the batch stands."""
    node = helper.make_node
    nodes = [
        node("Concat", ["x", "x", "c"], ["three"], name="three", axis=0),
        node("ReduceSum", ["three", "zero"], ["sum"], name="sum", keepdims=0),
        node("Gather", ["x", "first"], ["only"], name="only", axis=0),
        node("Sub", ["sum", "only"], ["d"], name="d"),
        node("Shape", ["three"], ["shape"], name="shape"),
        node("Slice", ["shape", "zero", "one"], ["count"], name="count"),
        node("Cast", ["count"], ["number"], name="number", to=TensorProto.FLOAT),
        node("Mul", ["d", "number"], ["y"], name="y"),
    ]
    stored = weights(c=normal(1, 5), zero=np.array([0]), one=np.array([1]), first=np.array(0))
    model = model_of(nodes, stored, [("x", (1, 5))], [("y", (5,)), ("three", (3, 5))])
    module = GraphModule(model)
    agree(module, model, normal(4, 5))
    assert [tuple(y.shape) for y in module(torch.zeros(4, 5))] == [(4, 5), (4, 3, 5)]


def test_an_input_whose_first_dimension_is_not_one_has_the_batch_in_front():
    nodes = [helper.make_node("Add", ["x", "state"], ["y"], name="y")]
    model = model_of(nodes, [], [("x", (1, 1, 4)), ("state", (2, 1, 4))], [("y", (2, 1, 4))])
    x, state = normal(3, 1, 4), normal(3, 2, 1, 4)
    (found,) = GraphModule(model)(torch.from_numpy(x), torch.from_numpy(state))
    assert np.allclose(found, x[:, None] + state)


def test_a_node_is_replaced_by_a_module():
    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(0.5))

        def forward(self, x, w, b):
            return self.factor * nn.functional.conv2d(x, w, b, padding=1)

    module = GraphModule(residual(), {"stem": Halved()})
    rows = torch.from_numpy(images(2))
    plain = copy.deepcopy(module)
    plain.replaced["stem"].factor.data.fill_(1.0)
    (expected,) = GraphModule(residual())(rows)
    assert torch.allclose(plain(rows)[0], expected, atol=1e-5)
    assert not torch.allclose(module(rows)[0], expected, atol=1e-2)
    module(rows)[0].sum().backward()
    assert module.replaced["stem"].factor.grad is not None and module.weights["stem.w"].grad is not None


def test_a_name_that_no_node_has_cannot_be_replaced():
    with pytest.raises(ValueError, match="no nodes \\['stm'\\]"):
        GraphModule(residual(), {"stm": nn.Identity()})


def test_a_copy_shares_nothing():
    module = GraphModule(residual())
    rows = torch.from_numpy(images(2))
    (before,) = module(rows)
    other = copy.deepcopy(module)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(0.5)
    assert torch.equal(module(rows)[0], before)
    assert not torch.allclose(other(rows)[0], before)


def test_channels_last_changes_no_value():
    rows = torch.from_numpy(images(2))
    module = GraphModule(residual())
    (plain,) = module(rows)
    (other,) = module.use_channels_last()(rows)
    assert torch.allclose(plain, other, atol=1e-5)
    assert module.weights["one.a.w"].is_contiguous(memory_format=torch.channels_last)


def test_operators_without_a_counterpart_are_all_named():
    nodes = [
        helper.make_node("NonMaxSuppression", ["b", "s"], ["i"], name="boxes"),
        helper.make_node("RandomUniformLike", ["s"], ["r"], name="noise"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 4, 4)) for n in "bs"],
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, None),
            helper.make_tensor_value_info("r", 1, None),
        ],
    )
    with pytest.raises(ModelRefused) as refused:
        GraphModule(helper.make_model(graph))
    assert "NonMaxSuppression (node boxes)" in refused.value.what
    assert "RandomUniformLike (node noise)" in refused.value.what


def test_an_operator_that_is_a_function_of_others_is_written_out():
    model = single("Attention", [(1, 2, 4, 8)] * 3, opset=23)
    module = agree_on_samples(model, *(normal(3, 1, 2, 4, 8, seed=k) for k in range(3)))
    assert len(module.weights) == 0
    assert model.graph.node[0].op_type == "Attention"


def test_a_function_of_the_file_is_written_out():
    model = single("Gelu", [(1, 4)], opset=20)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Doubled", "own"
    body = [helper.make_node("Add", ["a", "a"], ["b"], name="twice")]
    own = helper.make_opsetid("own", 1)
    model.functions.append(
        helper.make_function("own", "Doubled", ["a"], ["b"], body, [helper.make_opsetid("", 20)])
    )
    model.opset_import.append(own)
    assert GraphModule(model)(torch.ones(2, 4))[0].tolist() == [[2.0] * 4] * 2


def test_a_function_with_parts_that_have_no_counterpart_is_refused_by_its_own_name():
    model = single("Bernoulli", [(1, 4)], opset=22)
    with pytest.raises(ModelRefused, match=r"Bernoulli \(node node\)"):
        GraphModule(model)


def test_a_graph_inside_of_a_node_is_refused():
    with pytest.raises(ModelRefused, match="If with a graph inside \\(node if\\)"):
        GraphModule(inside_if())


def test_a_shape_that_depends_on_the_values_of_samples_is_refused():
    nodes = [
        helper.make_node("Cast", ["x"], ["wanted"], name="cast", to=TensorProto.INT64),
        helper.make_node("Expand", ["one", "wanted"], ["y"], name="expand"),
    ]
    model = model_of(nodes, weights(one=np.ones(1, np.float32)), [("x", (2,))], [("y", (None, None))])
    with pytest.raises(ModelRefused, match="Expand expand takes wanted from the samples"):
        GraphModule(model)


def test_a_batch_of_the_wrong_shape_is_refused():
    module = GraphModule(residual())
    with pytest.raises(DataRefused, match=r"input x is \[2, 1, 16, 16\].*\[1, 3, 16, 16\]"):
        module(torch.zeros(2, 1, 16, 16))
    with pytest.raises(DataRefused, match="takes 1 inputs and was given 2"):
        module(torch.zeros(1, 3, 16, 16), torch.zeros(1))


def test_nodes_may_stand_in_any_order():
    model = residual()
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    rows = images(2)
    assert np.allclose(
        GraphModule(model)(torch.from_numpy(rows))[0].detach(),
        GraphModule(residual())(torch.from_numpy(rows))[0].detach(),
    )


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` between QuantizeLinear and DequantizeLinear: 8-bit weights per channel, activations per tensor."""
    node = helper.make_node
    graph = model.graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    w = stored["stem.w"]
    scale = (abs(w).max(axis=(1, 2, 3)) / 127).astype(np.float32)
    integers = np.rint(w / scale[:, None, None, None]).astype(np.int8)
    graph.initializer.extend(
        weights(
            q=integers,
            w_scale=scale,
            w_zero=np.zeros(len(scale), np.int8),
            x_scale=np.float32(0.05),
            x_zero=np.uint8(128),
        )
    )
    stem = next(n for n in graph.node if n.name == "stem")
    stem.input[0], stem.input[1] = "x_dq", "w_dq"
    graph.node.extend(
        [
            node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["x_q"], name="x_q"),
            node("DequantizeLinear", ["x_q", "x_scale", "x_zero"], ["x_dq"], name="x_dq"),
            node("DequantizeLinear", ["q", "w_scale", "w_zero"], ["w_dq"], name="w_dq", axis=0),
        ]
    )
    nodes = sorted(graph.node, key=lambda n: n.name not in ("x_q", "x_dq", "w_dq"))
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def test_a_qdq_file_runs_as_it_is():
    model = quantized(residual())
    module = GraphModule(model)
    agree(module, model, images(3), within=1e-3)
    assert "w_dq" in module.fixed and "stem.w" not in module.weights


def test_a_dequantized_weight_is_computed_anew_only_where_its_node_is_replaced():
    class Shadow(nn.Module):
        def forward(self, integers, scale, zero_point):
            return torch.zeros(integers.shape)

    module = GraphModule(quantized(residual()), {"w_dq": Shadow()})
    assert "q" in module.fixed and "w_dq" not in module.fixed
    rows = torch.from_numpy(images(2))
    assert not torch.allclose(module(rows)[0], GraphModule(quantized(residual()))(rows)[0])


def test_integers_for_floats_are_refused():
    with pytest.raises(DataRefused, match="input x is torch.int64, and the model takes torch.float32"):
        GraphModule(residual())(torch.zeros(1, 3, 16, 16, dtype=torch.int64))
