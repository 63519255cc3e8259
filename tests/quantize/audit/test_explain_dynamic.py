"""Layers of candidates that are not statically quantized: how each was quantized, and the error of its own output."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load, no_progress
from tests.quantize.networks import Rows, images, model_of, residual, saved
from tests.quantize.test_other_recipes import SEQUENCES, recurrent

SEVEN_BITS = Scheme("uint8", "int8", True, reduce_range=True)


def explained(net, recipe, samples, folder, scheme=None):
    """By layer."""
    plan = CandidatePlan(f"onnxruntime-{recipe}", "onnxruntime", recipe, "onnx", "a test", scheme=scheme)
    model = saved(net, folder)
    work = folder / "work"
    made = make(plan, model, samples, samples, same_samples=True, gate=Gate(), workdir=work)
    source = folder / "net.onnx"
    layers = explain(
        source,
        made.path,
        plan,
        made.fidelity,
        samples,
        saturates=False,
        threads=1,
        progress=no_progress,
    )
    real, quantized = (load(path, "onnx") for path in (source, made.path))
    pairs = [(real(samples[i])[0], quantized(samples[i])[0]) for i in range(samples.count)]
    loss = np.sqrt(sum(np.sum((q - y) ** 2) for y, q in pairs) / sum(np.sum(y**2) for y, _ in pairs))
    return {layer.layer: layer for layer in layers}, float(loss)


def dense(outliers=1.0, inputs=64):
    """Two dense layers; `outliers` multiplies some of the inputs of the second."""
    rng = np.random.default_rng(0)
    grown = np.where(np.arange(inputs) < 4, outliers, 1.0)
    weights = {
        "gamma": grown,
        "beta": np.zeros(inputs),
        "a": rng.normal(scale=0.1, size=(inputs, inputs)),
        "b": rng.normal(scale=0.1, size=(32, inputs)),
        "bias": rng.normal(size=32),
    }
    tensors = [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["hidden"], "first"),
        helper.make_node("LayerNormalization", ["hidden", "gamma", "beta"], ["even"], "norm"),
        helper.make_node("Gemm", ["even", "b", "bias"], ["y"], "second", transB=1),
    ]
    return model_of(nodes, tensors, [("x", (1, inputs))], [("y", (1, 32))])


ROWS = Rows(np.random.default_rng(1).normal(size=(24, 64)).astype(np.float32))


def test_the_error_of_the_last_layer_is_the_error_of_the_model(tmp_path):
    layers, loss = explained(dense(), "int8_dynamic", ROWS, tmp_path)
    assert list(layers) == ["first", "second"]
    assert {layer.scheme for layer in layers.values()} == {"dynamic U8S8 per channel"}
    assert layers["second"].error == pytest.approx(loss, rel=1e-4)
    assert layers["first"].own == layers["first"].error  # nothing comes before it
    assert 0 < layers["second"].own < layers["second"].error
    assert all(0 < layer.weights < layer.own and layer.integer for layer in layers.values())
    assert layers["first"].low is layers["first"].clipping is None  # activations are quantized dynamically


@pytest.mark.parametrize(
    ("recipe", "bits", "size"),
    [("int8_blockwise", 8, 64), ("int4_blockwise", 4, 32), ("int2_blockwise", 2, 64)],
)
def test_blocks_are_listed_with_their_size(tmp_path, recipe, bits, size):
    rng = np.random.default_rng(5)
    correlated = rng.normal(size=(64, 8)) @ rng.normal(
        size=(8, 64)
    )  # GPTQ gains by what inputs have in common
    layers, loss = explained(dense(), recipe, Rows(correlated.astype(np.float32)), tmp_path)
    second = layers["second"]  # a Gemm, which becomes a product and a sum
    assert second.scheme == f"int{bits} blocks of {size}"
    assert second.error == pytest.approx(loss, rel=1e-4)
    assert second.integer and second.weights > 0
    assert any("GPTQ" in how for how in second.remedies) == (bits < 8)


def test_smoothed_layers_are_compared_with_float_with_their_factors(tmp_path):
    layers, loss = explained(dense(outliers=60.0), "int8_dynamic", ROWS, tmp_path)
    second = layers["second"]
    assert any("SmoothQuant" in how for how in second.remedies) and not layers["first"].remedies
    assert second.error == pytest.approx(loss, rel=1e-4)
    assert second.own < 2 * second.error  # float's input as it is would be up to 60 times too large


@pytest.mark.arithmetic
def test_the_error_of_an_lstm_comes_from_its_weights_and_from_its_input(tmp_path):
    layers, _ = explained(recurrent("LSTM"), "int8_dynamic", SEQUENCES, tmp_path)
    assert (layers["cell"].scheme, layers["cell"].integer) == ("dynamic U8S8 per channel", True)
    assert 0 < layers["cell"].weights < layers["cell"].own < 0.05


def test_a_small_gru_computes_in_float_on_weights_of_8_bits(tmp_path):
    layers, _ = explained(recurrent("GRU"), "int8_dynamic", SEQUENCES, tmp_path)
    cell = layers["cell"]
    assert (cell.scheme, cell.integer) == ("S8 per row, computed in float", False)
    assert cell.why_float.startswith("float compute on 8-bit weights") and cell.weights == cell.own > 0


def large_gru(units=320, steps=5):
    rng = np.random.default_rng(0)
    shapes = {"w": (1, 3 * units, 16), "r": (1, 3 * units, units), "b": (1, 6 * units)}
    tensors = [
        numpy_helper.from_array(rng.normal(scale=0.05, size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    node = helper.make_node("GRU", ["x", "w", "r", "b"], ["y"], "cell", hidden_size=units)
    return model_of([node], tensors, [("x", (steps, 1, 16))], [("y", (steps, 1, 1, units))])


def test_a_large_gru_that_was_split_is_one_layer(tmp_path):
    class Steps(Rows):
        def __getitem__(self, i):
            return (self.rows[i],)

    steps = Steps(np.random.default_rng(1).normal(size=(6, 5, 1, 16)).astype(np.float32))
    layers, loss = explained(large_gru(), "int8_dynamic", steps, tmp_path)
    cell = layers["cell"]
    assert cell.scheme == "dynamic U8S8 per channel, split into products"
    assert cell.integer and any("split into matrix products" in how for how in cell.remedies)
    assert cell.own == cell.error == pytest.approx(loss, rel=1e-4)
    assert 0 < cell.weights < cell.error


def test_an_embedding_table(tmp_path):
    table = np.random.default_rng(0).normal(size=(600, 32)).astype(np.float32)
    node = helper.make_node("Gather", ["table", "x"], ["y"], "words")
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.INT64, [1, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 32])],
        [numpy_helper.from_array(table, "table")],
    )
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    words = Rows(np.random.default_rng(1).integers(0, 600, (10, 6)))
    layers, loss = explained(net, "int8_dynamic", words, tmp_path)
    found = layers["words"]
    assert (found.operator, found.scheme, found.integer) == ("Gather", "S8 per row, looked up", False)
    assert found.weights == found.error == pytest.approx(loss, rel=1e-4)
    assert found.remedies == ("its table is stored in 8 bits with one scale per row",)


def test_weights_of_seven_bits_are_reported(tmp_path):
    layers, _ = explained(dense(), "int8_dynamic", ROWS, tmp_path, scheme=SEVEN_BITS)
    assert layers["second"].scheme == "dynamic U8S8 per channel, weights reduced to 7 bits"


def test_half_precision(tmp_path):
    layers, _ = explained(dense(), "fp16", ROWS, tmp_path)
    assert {layer.scheme for layer in layers.values()} == {"float16"}
    assert all(0 < layer.own < 0.01 and layer.weights is None for layer in layers.values())


def test_layers_that_their_group_does_not_name_have_its_reason(tmp_path):
    layers, _ = explained(residual(), "int8_dynamic", Rows(images(8)), tmp_path)
    assert all("slower than float" in layers[name].why_float for name in ("stem", "one.a", "one.b", "two.b"))
