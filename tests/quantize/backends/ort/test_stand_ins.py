"""Weights and biases have the bits that onnxruntime's quantizer itself gives them."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.graphs.onnx_edit import copied
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.backends.ort.stand_ins import with_stand_ins
from tests.quantize.networks import model_of, residual, saved

SCHEMES = {
    "per channel": Scheme("uint8", "int8", True),
    "per tensor": Scheme("int8", "int8", False),
    "7 bits": Scheme("uint8", "int8", True, reduce_range=True),
    "wider scales": Scheme("uint8", "int8", True, pairs_fit=True),
    "one wider scale": Scheme("uint8", "int8", False, pairs_fit=True),
}


def weights(*shape):
    """Their channels range over many orders of magnitude; one is zero, one too small for a float32 scale."""
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    first = values.reshape(len(values), -1)
    first[1], first[2] = 0.0, first[2] * 1e-37
    first[3] *= 1e-9
    return values


def layer(op, given, out, weight, bias=None, **attributes):
    stored = [numpy_helper.from_array(weight, "w")]
    stored += [] if bias is None else [numpy_helper.from_array(bias, "b")]
    node = helper.make_node(op, ["x", *(t.name for t in stored)], ["y"], op, **attributes)
    return model_of([node], stored, [("x", given)], [("y", out)])


def biases(count):
    """Some exceed 32 bits in the steps of small weights, which makes these wider."""
    return np.linspace(-3.0, 2.0, count, dtype=np.float32)


NETS = {
    "residual": residual(),
    "conv": layer("Conv", [1, 6, 5, 5], [1, 8, 3, 3], weights(8, 6, 3, 3), biases(8)),
    "depthwise": layer("Conv", [1, 6, 5, 5], [1, 6, 3, 3], weights(6, 1, 3, 3), biases(6), group=6),
    "one channel": layer("Conv", [1, 4, 5, 5], [1, 1, 3, 3], weights(4, 1, 3, 3).reshape(1, 4, 3, 3), biases(1)),
    "gemm": layer("Gemm", [1, 8], [1, 5], weights(8, 5), biases(5)),
    "transposed gemm": layer("Gemm", [1, 7], [1, 5], weights(5, 7), biases(5), transB=1),
    "gemm and half its bias": layer("Gemm", [1, 7], [1, 5], weights(5, 7), biases(5), transB=1, beta=0.5),
    "matmul": layer("MatMul", [1, 4, 8], [1, 4, 5], weights(8, 5)),
    "stack": layer("MatMul", [5, 4, 8], [5, 4, 3], weights(5, 8, 3)),
}  # fmt: skip


def emitted(model, scheme, folder, in_float=frozenset()):
    """Makes the file's bytes."""
    saved(model, folder)
    graph = read(folder / "net.onnx")
    names = [*(i.name for i in graph.graph.input), *(o for n in graph.graph.node for o in n.output)]
    ranges = dict.fromkeys(names, (-1.5, 2.0))
    return lambda: qdq.emitted(graph, scheme, ranges, in_float)[0].SerializeToString()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", NETS)
def test_the_file_is_the_one_of_onnxruntimes_quantizer(name, scheme, tmp_path, monkeypatch):
    make = emitted(NETS[name], SCHEMES[scheme], tmp_path)
    found = make()
    monkeypatch.setattr(qdq, "with_stand_ins", lambda model: (copied(model), ()))
    assert found == make()


def test_layers_in_float_keep_their_weights(tmp_path, monkeypatch):
    make = emitted(residual(), SCHEMES["per channel"], tmp_path, frozenset({"scores_Gemm"}))
    found = make()
    monkeypatch.setattr(qdq, "with_stand_ins", lambda model: (copied(model), ()))
    assert found == make()


def test_what_has_an_own_weight_and_bias_gets_stand_ins(tmp_path):
    with_them = {name for name, net in NETS.items() if with_stand_ins(net)[1]}
    assert NETS.keys() - with_them == {"gemm and half its bias"}
    small, layers = with_stand_ins(NETS["conv"])
    assert [list(t.dims) for t in small.graph.initializer] == [[2, 2, 2, 2], [2]]
    assert [(one.weight.name, one.bias.name) for one in layers] == [("w", "b")]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_left_to_onnxruntime(value):
    spoiled = weights(8, 6, 3, 3)
    spoiled[0, 0, 0, 0] = value
    assert with_stand_ins(layer("Conv", [1, 6, 5, 5], [1, 8, 3, 3], spoiled))[1] == ()
