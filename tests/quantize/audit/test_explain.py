"""The rows of statically quantized candidates: how each layer is quantized, its error, what was changed."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.audit.explain import explain
from edgeq.quantize.audit.float_layers import grouped, onnx_static
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, model_of, residual, saved

U8S8 = Scheme("uint8", "int8", True)
PLAN = CandidatePlan("onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=U8S8)


def explained(net, rows, samples, folder, saturates):
    """`rows`: for calibration and judgement; `samples`: for the explanation."""
    model, held_out = saved(net, folder), Rows(rows[-20:], sha256="h" * 64)
    work = folder / "w"
    made = make(PLAN, model, Rows(rows[:-20]), held_out, same_samples=False, gate=Gate(), workdir=work)
    return explain(
        folder / "net.onnx",
        made.path,
        made.plan,
        made.fidelity,
        samples,
        saturates=saturates,
        threads=1,
        progress=no_progress,
    )


def test_every_layer_is_listed_with_its_error_and_what_was_changed(tmp_path):
    layers = explained(residual(), images(68), Rows(images(6, seed=3)), tmp_path, saturates=True)
    assert [layer.layer for layer in layers] == ["stem", "one.a", "one.b", "two.a", "two.b", "scores_Gemm"]
    assert sum(layer.work for layer in layers) == pytest.approx(1)
    quantized = [layer for layer in layers if layer.scheme != "float"]
    assert all(layer.integer and layer.error < 0.5 and layer.remedies for layer in quantized)
    assert all(layer.overflows is not None for layer in quantized)


def twice_the_same_weights():
    weights = np.random.default_rng(0).normal(scale=0.2, size=(8, 8, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "one", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "between"),
        helper.make_node("Conv", ["b", "w"], ["y"], "two", pads=[1] * 4),
    ]
    shape = (1, 8, 9, 9)
    return model_of(nodes, [numpy_helper.from_array(weights, "w")], [("x", shape)], [("y", shape)])


def test_layers_that_share_their_weights_are_listed_as_quantized(tmp_path):
    rows = images(50, shape=(8, 9, 9))
    for layer in explained(twice_the_same_weights(), rows, Rows(rows[:4]), tmp_path, saturates=False):
        assert (layer.integer, layer.scheme, layer.why_float) == (True, "U8S8 per channel", "")


def without_scales():
    """Six convolutions; the bias of the first is computed at run time."""
    weights = np.random.default_rng(0).normal(scale=0.2, size=(4, 4, 1, 1)).astype(np.float32)
    constants = [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.float32([1] * 4), "c")]
    nodes = [
        helper.make_node("Abs", ["c"], ["bias"], "abs"),
        helper.make_node("Conv", ["x", "w", "bias"], ["y0"], "biased"),
        *(helper.make_node("Conv", [f"y{k}", "w"], [f"y{k + 1}"], f"conv{k}") for k in range(5)),
    ]
    shape = (1, 4, 3, 3)
    return model_of(nodes, constants, [("x", shape)], [("y5", shape)])


def test_the_fifth_layer_of_a_group_has_the_reason_of_its_group(tmp_path):
    """The report names three layers of a group; another group of the same operator comes before it."""
    saved(without_scales(), tmp_path)
    path, samples = tmp_path / "net.onnx", Rows(images(2, shape=(4, 3, 3)))
    fidelity = Fidelity("c", 1, (), float_layers=grouped(onnx_static(path), {}))
    assert any(skipped.what.endswith("and 2 more") for skipped in fidelity.float_layers)
    layers = explain(path, path, PLAN, fidelity, samples, saturates=False, threads=1, progress=no_progress)
    why = {layer.layer: layer.why_float for layer in layers}
    assert why.pop("biased").startswith("its bias is computed at run time")
    assert set(why.values()) == {"its neighbours run in float"} and len(why) == 5
