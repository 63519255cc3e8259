"""Weights and data whose squares overflow: converted all the same, and numpy's own warnings are not for the user."""

import warnings

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgeq.nouns.progress import Note
from edgeq.workflow.convert import convert
from tests.quantize.networks import model_of


def test_no_warning_of_arithmetic_reaches_the_user(tmp_path):
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array((rng.normal(size=shape) * size).astype(np.float32), name)
        for name, shape, size in (("w", (64, 64), 1e18), ("v", (64, 8), 1.0))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="a"),
        helper.make_node("Relu", ["a"], ["r"], name="r"),
        helper.make_node("MatMul", ["r", "v"], ["y"], name="y"),
    ]
    onnx.save(model_of(nodes, weights, [("x", (1, 64))], [("y", (1, 8))]), str(tmp_path / "net.onnx"))
    np.savez(tmp_path / "d.npz", x=(100 * rng.normal(size=(40, 64))).astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        done = convert(
            str(tmp_path / "net.onnx"),
            data=str(tmp_path / "d.npz"),
            target="x86-64-vnni",
            runtime="onnxruntime",
            output=tmp_path / "net.edgeq",
        )
    assert {c.recipe for c in done.bundle.manifest.candidates} >= {"float", "int8_dynamic", "int8_static"}


def test_the_sample_is_named_whose_value_no_other_shares_a_scale_with(tmp_path):
    rng = np.random.default_rng(0)
    weights = [numpy_helper.from_array(rng.normal(size=(8, 8)).astype(np.float32), "w")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="y")]
    onnx.save(model_of(nodes, weights, [("x", (1, 8))], [("y", (1, 8))]), str(tmp_path / "net.onnx"))
    x = rng.normal(size=(40, 8)).astype(np.float32)
    x[11, 3] = 3e37
    np.savez(tmp_path / "d.npz", x=x)
    said = []
    convert(
        str(tmp_path / "net.onnx"),
        data=str(tmp_path / "d.npz"),
        calibrate=39,
        target="x86-64-vnni",
        runtime="onnxruntime",
        output=tmp_path / "net.edgeq",
        tell=said.append,
    )
    notes = [event.text for event in said if isinstance(event, Note)]
    (note,) = (text for text in notes if "holds 3e+37" in text)
    assert note.startswith("onnxruntime-int8_static: ")
    assert "d.npz, sample 11: x holds 3e+37: no other value can share a scale" in note
