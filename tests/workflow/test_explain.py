"""`edgeq explain` as a user types it, on a network whose gate fails and on one that is finished."""

import json
import re

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeq.workflow.explain import explain
from tests.end_to_end.command_line import edgeq
from tests.quantize.networks import images, model_of, residual, saved
from tests.quantize.passes.test_joins import PADDED

PICKY = """import numpy as np
first = []
def picky(outputs, labels):
    first.append(outputs[0].copy())
    return 100 * float(np.array_equal(outputs[0], first[0]))
"""  # only float itself will do


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    np.savez(tmp_path / "samples.npz", x=images(60))
    return tmp_path


def test_a_table_of_layers_and_the_same_as_json(folder):
    shown = edgeq(folder, "explain", "net.onnx", "--data", "samples.npz", "--target", "x86-64-vnni")
    assert shown.returncode == 0, shown.stderr
    assert "explain" in shown.stdout and "one.a (Conv)" in shown.stdout and "clipping" in shown.stdout
    assert "fit   used   +" in shown.stdout and "thin   used   1 convolution\n" in shown.stdout
    told = edgeq(folder, "explain", "net.onnx", "--data", "samples.npz", "--target", "x86-64-vnni", "--json")
    explanation = json.loads(told.stdout)["explanations"][0]
    assert [layer["layer"] for layer in explanation["layers"]][:2] == ["stem", "one.a"]
    assert all(layer["error"] > 0 for layer in explanation["layers"] if layer["scheme"] != "float")


def test_what_the_gate_refuses_is_explained_all_the_same(folder):
    (folder / "picky.py").write_text(PICKY)
    words = ("explain", "net.onnx", "--data", "samples.npz", "--target", "rpi4")
    refused = edgeq(folder, *words, "--metric", "picky.py:picky")
    assert refused.returncode == 20, refused.stdout
    assert "one.a (Conv)" in refused.stdout and "picky fell by" in refused.stdout


def test_what_is_quantized_as_it_comes_is_explained_too(folder):
    words = ("--data", "samples.npz", "--target", "x86-64-vnni", "--recipe", "int8_dynamic")
    shown = edgeq(folder, "explain", "net.onnx", *words)
    assert shown.returncode == 0, shown.stderr
    assert "1 of 6 layers quantized   dynamic U8S8 per channel" in shown.stdout
    assert re.search(
        r"#1 stem, #\d one.a, #\d one.b, #\d two.a and 1 more: a dynamically quantized", shown.stdout
    )
    told = edgeq(folder, "explain", "net.onnx", *words, "--json")
    (explanation,) = json.loads(told.stdout)["explanations"]
    (layer,) = (one for one in explanation["layers"] if one["scheme"] != "float")
    assert layer["operator"] == "Gemm" and 0 < layer["own"] == layer["error"] and layer["integer"]


def test_a_finished_bundle(folder):
    words = ("--data", "samples.npz", "--target", "x86-64-vnni", "-o", "net.edgeq")
    assert edgeq(folder, "convert", "net.onnx", *words).returncode == 0
    shown = edgeq(folder, "explain", "net.edgeq")
    assert shown.returncode == 0 and "one.a (Conv)" in shown.stdout, shown.stderr
    refused = edgeq(folder, "explain", "net.edgeq", "--data", "nope.npz", "--max-drop", "0")
    assert refused.returncode != 0
    assert "--data, --max-drop have no effect on it" in refused.stderr
    assert "leave out --data, --max-drop, or convert the model again." in refused.stderr


def test_columns_have_a_legend_and_only_those_that_are_shown(folder):
    words = ("explain", "net.onnx", "--data", "samples.npz", "--target")
    plain = edgeq(folder, *words, "x86-64-vnni").stdout
    assert "rounding = error inherited" in plain and "clipping = error of input values" in plain
    assert "saturation" not in plain and "unfused" not in plain
    as_it_comes = edgeq(folder, *words, "x86-64-vnni", "--recipe", "int8_dynamic").stdout
    assert "rounding = error inherited" in as_it_comes and "clipping" not in as_it_comes


def test_inputs_may_be_single_numbers(folder):
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Mul", ["x", "gain"], ["louder"], "louder"),
        onnx.helper.make_node("MatMul", ["louder", "w"], ["y"], "dense"),
    ]
    inputs = [("x", (1, 64)), ("gain", ())]
    net = model_of(nodes, [numpy_helper.from_array(weights, "w")], inputs, [("y", (1, 64))])
    onnx.save(net, str(folder / "scaled.onnx"))
    rng = np.random.default_rng(1)
    x, gain = rng.normal(size=(20, 64)).astype(np.float32), rng.uniform(1, 2, 20).astype(np.float32)
    np.savez(folder / "scaled.npz", x=x, gain=gain)
    words = ("scaled.onnx", "--data", "scaled.npz", "--target", "x86-64-vnni", "--recipe", "int8_dynamic")
    shown = edgeq(folder, "explain", *words)
    assert shown.returncode == 0, shown.stderr
    assert "dense (MatMul)" in shown.stdout


def test_nothing_to_explain_where_nothing_is_quantized(folder):
    refused = edgeq(folder, "explain", "net.onnx", "--target", "x86-64-vnni", "--recipe", "float")
    assert refused.returncode != 0
    assert "it is only onnxruntime-float" in refused.stderr and "leave out --recipe" in refused.stderr


def test_what_the_gate_refuses_without_labels_is_explained(tmp_path):
    """Scores that the boxes' scale rounds away are refused whatever the limits are."""
    model = saved(PADDED, tmp_path)
    np.savez(tmp_path / "d.npz", x=images(48, shape=(3, 8, 8))[:, None])
    found = explain(
        model.source, data=str(tmp_path / "d.npz"), target="x86-64-vnni", runtime="onnxruntime", passes="none",
        name="padded",
    )  # fmt: skip
    assert found.refused is not None and "float" in found.refused
    assert [e.candidate for e in found.explanations] == ["onnxruntime-int8_static"]
