"""Dynamic int8 and float16: what they take, what they leave, and that they say so."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ConversionFailed, DataRefused
from edgeq.graphs import tflite
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from tests.quantize import tflite_networks
from tests.quantize.networks import Rows, images, inside_if, model_of, residual, saved

WIDTH = 32


def recurrent(kind):
    """One LSTM or GRU over 10 steps, then a MatMul."""
    rng = np.random.default_rng(0)
    gates = {"LSTM": 4, "GRU": 3}[kind]

    def weight(name, *shape):
        return numpy_helper.from_array(rng.normal(scale=0.2, size=shape).astype(np.float32), name)

    rows = gates * WIDTH
    weights = [
        weight("w", 1, rows, WIDTH),
        weight("r", 1, rows, WIDTH),
        weight("b", 1, 2 * rows),
        weight("out", WIDTH, 8),
    ]
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    nodes = [
        helper.make_node(kind, ["x", "w", "r", "b"], ["seq"], name="cell", hidden_size=WIDTH),
        helper.make_node("Squeeze", ["seq", "axis"], ["flat"], name="squeeze"),
        helper.make_node("MatMul", ["flat", "out"], ["y"], name="dense"),
    ]
    return model_of(nodes, weights, [("x", (10, 1, WIDTH))], [("y", (10, 1, 8))])


class Sequences(Rows):
    def __getitem__(self, i):
        return (self.rows[i],)


SEQUENCES = Sequences(np.random.default_rng(1).normal(size=(20, 10, 1, WIDTH)).astype(np.float32))


def made(model, recipe, tmp_path, held_out, calibration=None, scheme=None):
    plan = CandidatePlan(f"onnxruntime-{recipe}", "onnxruntime", recipe, "onnx", "a test", scheme=scheme)
    gate, work = Gate(), tmp_path / "work"
    return make(
        plan,
        saved(model, tmp_path, recipe),
        calibration,
        held_out,
        same_samples=False,
        gate=gate,
        workdir=work,
    )


def integers(found):
    return {a.operator: (a.integer, a.total) for a in found.fidelity.fusion}


@pytest.mark.arithmetic
def test_an_lstm_is_quantized(tmp_path):
    found = made(recurrent("LSTM"), "int8_dynamic", tmp_path, SEQUENCES)
    assert integers(found) == {"LSTM": (1, 1), "MatMul": (1, 1)}
    assert found.fidelity.outputs[0].sqnr_db > 25
    assert found.fidelity.float_layers == ()


def test_a_small_gru_computes_in_float_on_weights_of_8_bits_and_is_named(tmp_path):
    """Large ones are split into integer products: recurrent/."""
    found = made(recurrent("GRU"), "int8_dynamic", tmp_path, SEQUENCES)
    assert integers(found) == {"GRU": (0, 1), "MatMul": (1, 1)}
    (left,) = found.fidelity.float_layers
    assert left.what == "GRU: cell"
    assert left.reason.startswith("float compute on 8-bit weights")
    assert found.path.stat().st_size < 0.4 * Path(tmp_path / "int8_dynamic.onnx").stat().st_size


def test_a_model_of_nothing_but_a_gru_is_no_float_over_again(tmp_path):
    model = recurrent("GRU")
    del model.graph.node[1:]
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("seq", TensorProto.FLOAT, (10, 1, 1, WIDTH)))
    found = made(model, "int8_dynamic", tmp_path, SEQUENCES).fidelity
    assert (found.passed, found.quantized_nothing) == (True, False)


@pytest.mark.arithmetic
def test_a_transposed_weight_whose_shape_the_exporter_noted_is_quantized(tmp_path):
    """torch's exporter lists the weights among the shapes of values; onnxruntime's quantizer transposes Gemm's."""
    weight = numpy_helper.from_array(np.random.default_rng(0).normal(size=(8, 32)).astype(np.float32), "w")
    bias = numpy_helper.from_array(np.zeros(8, np.float32), "b")
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense", transB=1)
    model = model_of([gemm], [weight, bias], [("x", (1, 32))], [("y", (1, 8))])
    model.graph.value_info.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [8, 32]))
    rows = np.random.default_rng(1).normal(size=(20, 32)).astype(np.float32)
    found = made(model, "int8_dynamic", tmp_path, Rows(rows))
    assert integers(found) == {"MatMul": (1, 1)}
    assert found.fidelity.passed


def test_dynamic_int8_never_touches_a_convolution(tmp_path):
    found = made(residual(), "int8_dynamic", tmp_path, Rows(images(10)))
    assert integers(found)["Conv"] == (0, 5)
    assert "slower than float" in found.fidelity.float_layers[0].reason


@pytest.mark.parametrize(
    ("network", "operator"),
    [(tflite_networks.dense, "FULLY_CONNECTED"), (tflite_networks.convolution, "CONV_2D")],
)
def test_litert_takes_activations_as_they_come(tmp_path, network, operator):
    file = network(tmp_path / "net.tflite")
    graph = tflite.read_tflite(file)
    x = graph.tensors[0]
    model = tflite_networks.model_of_file(file)
    plan = CandidatePlan("litert-int8_dynamic", "litert", "int8_dynamic", "tflite", "a test")
    held_out = Rows(np.random.default_rng(1).normal(size=(8, *x.shape[1:])).astype(np.float32))
    found = make(plan, model, None, held_out, same_samples=False, gate=Gate(), workdir=tmp_path / "w")
    assert {a.operator: (a.integer, a.total) for a in found.fidelity.fusion} == {operator: (1, 1)}
    assert found.fidelity.outputs[0].sqnr_db > 35
    assert found.path.stat().st_size < 0.5 * file.stat().st_size


def test_float16_keeps_the_types_of_inputs_and_outputs(tmp_path):
    found = made(residual(), "fp16", tmp_path, Rows(images(10)))
    graph = onnx.load(found.path).graph
    assert {v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)} == {TensorProto.FLOAT}
    assert TensorProto.FLOAT16 in {i.data_type for i in graph.initializer}
    assert found.fidelity.outputs[0].sqnr_db > 50


def test_static_int8_without_samples_is_refused(tmp_path):
    with pytest.raises(DataRefused, match="needs calibration samples"):
        made(residual(), "int8_static", tmp_path, Rows(images(10)))


def test_a_file_that_is_no_model_is_our_error_not_a_traceback(tmp_path):
    model = saved(residual(), tmp_path)
    (tmp_path / "net.onnx").write_bytes(b"not a model")
    plan = CandidatePlan("onnxruntime-float", "onnxruntime", "float", "onnx", "a test")
    with pytest.raises(ConversionFailed, match=r"onnxruntime does not load net\.onnx"):
        make(
            plan,
            model,
            None,
            Rows(images(2), sha256="b" * 64),
            same_samples=False,
            gate=Gate(),
            workdir=tmp_path / "w",
        )


def test_static_int8_that_found_nothing_is_no_candidate(tmp_path):
    rows = Rows(images(20))
    found = made(
        inside_if(), "int8_static", tmp_path, rows, rows, scheme=Scheme("uint8", "int8", True)
    ).fidelity
    assert (found.passed, found.quantized_nothing) == (False, True)
    assert found.why_failed.startswith("nothing in the graph could be quantized: ")
    reasons = {s.what: s.reason for s in found.float_layers}
    assert "is inside an If" in reasons["Conv: no.conv, yes.conv"]
    assert "Tanh: no.tanh, yes.tanh" in reasons


@pytest.mark.arithmetic
def test_what_computes_in_float_between_integers_is_named(tmp_path):
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(8, 8)).astype(np.float32), n) for n in ("a", "b")]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["m"], name="first"),
        helper.make_node("Tanh", ["m"], ["t"], name="tanh"),
        helper.make_node("MatMul", ["t", "b"], ["y"], name="second"),
    ]
    model = model_of(nodes, weights, [("x", (1, 8))], [("y", (1, 8))])
    rows = Rows(rng.normal(size=(20, 8)).astype(np.float32))
    found = made(model, "int8_static", tmp_path, rows, rows, scheme=Scheme("uint8", "int8", True)).fidelity
    assert not found.quantized_nothing
    assert [s.what for s in found.float_layers] == ["Tanh: tanh"]


def test_float16_names_what_stays_in_float32(tmp_path):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name="relu"),
        helper.make_node("Max", ["r", "floor"], ["m"], name="max"),
        helper.make_node("Tanh", ["m"], ["y"], name="tanh"),
    ]
    floor = numpy_helper.from_array(np.array([0.5], np.float32), "floor")
    model = model_of(nodes, [floor], [("x", (1, 3, 16, 16))], [("y", (1, 3, 16, 16))])
    found = made(model, "fp16", tmp_path, Rows(images(10))).fidelity
    assert [s.what for s in found.float_layers] == ["Max: max"]


def test_float16_in_which_nothing_computes_is_no_candidate(tmp_path):
    floor = numpy_helper.from_array(np.array([0.5], np.float32), "floor")
    nodes = [helper.make_node("Max", ["x", "floor"], ["y"], name="max")]
    model = model_of(nodes, [floor], [("x", (1, 3, 16, 16))], [("y", (1, 3, 16, 16))])
    found = made(model, "fp16", tmp_path, Rows(images(10))).fidelity
    assert found.quantized_nothing
    assert found.why_failed == (
        "nothing in the graph could be quantized: Max: max (onnxruntime's float16 converter leaves it in float32)"
    )


def test_float16_of_doubles_says_what_was_in_the_way(tmp_path):
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], name="widen", to=TensorProto.DOUBLE),
        helper.make_node("Tanh", ["wide"], ["t"], name="tanh"),
        helper.make_node("Cast", ["t"], ["y"], name="narrow", to=TensorProto.FLOAT),
    ]
    model = model_of(nodes, [], [("x", (1, 3, 16, 16))], [("y", (1, 3, 16, 16))])
    found = made(model, "fp16", tmp_path, Rows(images(10))).fidelity
    assert found.quantized_nothing
    assert "Tanh: tanh (computes in float64, which is not converted to float16)" in found.why_failed


def test_a_node_that_float16_does_not_fit_stays_in_float32(tmp_path):
    """The converter overlooks constants that are no tensors."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    nodes = [
        helper.make_node("Constant", [], ["two"], name="two", value_float=2.0),
        helper.make_node("Mul", ["x", "two"], ["twice"], name="twice"),
        helper.make_node("Conv", ["twice", "w"], ["y"], name="conv"),
    ]
    model = model_of(nodes, [weight], [("x", (1, 3, 16, 16))], [("y", (1, 4, 14, 14))])
    found = made(model, "fp16", tmp_path, Rows(images(10))).fidelity
    assert found.passed
    assert [s.what for s in found.float_layers] == ["Mul: twice"]


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_a_bias_that_is_computed_at_run_time_keeps_a_layer_in_float(tmp_path, activations):
    """Its inputs all come from integers, and yet no runtime fuses it."""
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(8, 8)).astype(np.float32), n) for n in ("a", "b")]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["m"], name="first"),
        helper.make_node("Gemm", ["x", "b", "m"], ["y"], name="second"),
    ]
    model = model_of(nodes, weights, [("x", (1, 8))], [("y", (1, 8))])
    rows = Rows(rng.normal(size=(20, 8)).astype(np.float32))
    found = made(
        model, "int8_static", tmp_path, rows, rows, scheme=Scheme(activations, "int8", True)
    ).fidelity
    assert {a.operator: a.integer for a in found.fusion} == {"Gemm": 0, "MatMul": 1}
    assert [(s.what, s.reason) for s in found.float_layers] == [
        ("Gemm: second", "its bias is computed at run time; an integer kernel needs a constant one")
    ]


@pytest.mark.parametrize("recipe", ["int8_dynamic", "int8_static"])
@pytest.mark.parametrize(("kind", "words"), [("double", "float64"), ("int32", "int32")])
def test_a_type_that_the_quantizer_does_not_take_is_the_reason(tmp_path, recipe, kind, words):
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array((10 * rng.normal(size=(64, 32))).astype(kind), "w"),
        numpy_helper.from_array(rng.normal(size=(32, 10)).astype(np.float32), "v"),
    ]
    node, number = onnx.helper.make_node, helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [
        node("Cast", ["x"], ["xd"], name="to", to=number),
        node("MatMul", ["xd", "w"], ["h"], name="wide"),
        node("Cast", ["h"], ["hf"], name="back", to=1),
        node("MatMul", ["hf", "v"], ["y"], name="plain"),
    ]
    net = model_of(nodes, weights, [("x", (8, 64))], [("y", (8, 10))])
    rows = Sequences(10 * rng.normal(size=(16, 8, 64)).astype(np.float32))
    found = made(net, recipe, tmp_path, rows, rows, Scheme("uint8", "int8", True)).fidelity
    reasons = {s.what: s.reason for s in found.float_layers}
    assert (
        reasons["MatMul: wide"] == f"computes in {words}, which the quantizer does not support (float32 only)"
    )
    assert not any("plain" in what for what in reasons)


def test_dynamic_int8_leaves_products_with_a_vector_in_float(tmp_path):
    """onnxruntime's quantizer takes them, and its kernel then does not run them."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=s).astype(np.float32), n)
        for s, n in (((8, 8), "a"), ((8,), "b"))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["m"], name="first"),
        helper.make_node("MatMul", ["m", "b"], ["y"], name="second"),
    ]
    model = model_of(nodes, weights, [("x", (1, 8))], [("y", (1,))])
    found = made(model, "int8_dynamic", tmp_path, Rows(rng.normal(size=(20, 8)).astype(np.float32))).fidelity
    assert [s.what for s in found.float_layers] == ["MatMul: second"]
    assert found.passed
