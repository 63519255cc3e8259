"""Scan of opset 8 has a batch; raised to what quantization needs it means the same, or it is refused in clear words."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.workflow.convert import convert
from tests.quantize.networks import images


def info(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def sums_over_pixels(folder, *, lengths=False, **attributes):
    """A convolution, and behind it the running sum of its 64 pixels, as a Scan."""
    adds = [helper.make_node("Add", ["s", "v"], ["sum"]), helper.make_node("Identity", ["sum"], ["out"])]
    body = helper.make_graph(
        adds, "body", [info("s", [16]), info("v", [16])], [info("sum", [16]), info("out", [16])]
    )
    rng = np.random.default_rng(0)
    stored = {
        "k": rng.normal(scale=0.2, size=(16, 8, 3, 3)).astype(np.float32),
        "zero": np.zeros((1, 16), np.float32),
        "shape": np.array([1, 16, 64]),
        "lengths": np.array([64]),
    }
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["c", "shape"], ["rows"], name="rows"),
        helper.make_node("Transpose", ["rows"], ["pixels"], name="pixels", perm=[0, 2, 1]),
        helper.make_node(
            "Scan",
            ["lengths" if lengths else "", "zero", "pixels"],
            ["last", "all"],
            name="scan",
            body=body,
            num_scan_inputs=1,
            **attributes,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [info("x", [1, 8, 8, 8])],
        [info("last", [1, 16]), info("all", [1, 64, 16])],
        [numpy_helper.from_array(v, n) for n, v in stored.items()],
    )
    path = folder / "scan.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=4), str(path))
    return str(path)


@pytest.mark.parametrize("attributes", [{}, {"directions": [1]}])
def test_its_opset_is_raised_and_it_means_the_same(tmp_path, attributes):
    model = open_model(Request(sums_over_pixels(tmp_path, **attributes), workdir=tmp_path / "w"))
    assert "opset 8 changed to 17, outputs unchanged" in model.notes
    assert [o.shape for o in model.outputs] == [(1, 16), (1, 64, 16)]


def test_the_convolution_before_it_is_quantized(tmp_path):
    np.savez(tmp_path / "x.npz", x=images(40, shape=(8, 8, 8)))
    made = convert(
        sums_over_pixels(tmp_path),
        data=str(tmp_path / "x.npz"),
        target="x86-64-vnni",
        recipe="int8_static",
        output=tmp_path / "scan.edgeq",
    )
    (int8,) = (f for f in made.fidelity if f.candidate == "onnxruntime-int8_static")
    assert {a.operator: a.integer for a in int8.fusion} == {"Conv": 1}
    assert any(s.what.startswith("Scan: ") for s in int8.float_layers)


def test_one_over_sequences_of_several_lengths_gets_no_int8_and_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", x=images(20, shape=(8, 8, 8)))
    done = convert(
        sums_over_pixels(tmp_path, lengths=True),
        data=str(tmp_path / "x.npz"),
        target="x86-64-vnni",
        output=tmp_path / "scan.edgeq",
    )
    assert any(note.startswith("opset 8 kept: ") and "Scan" in note for note in done.model.notes)
    (why,) = (s.reason for s in done.plan.skipped if s.what == "onnxruntime int8_static")
    assert why.startswith("opset 8 has no QuantizeLinear; it cannot be raised: ") and "Scan" in why
