"""A layer that int8 breaks: once it is in float, the layers behind are fitted again and return to int8."""

import numpy as np
import onnx
import pytest

from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import STATIC, Rows, saved

RNG = np.random.default_rng(3)


def broken_in_the_middle():
    """A softmax over 4,608 values, nearly all below one step of the range of 0 to 1: int8 rounds them to zero."""
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1, 16, 12, 12] x) => (float[1, 10, 12, 12] y) {
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        r = Relu (c)
        f = Flatten (r)
        s = Softmax (f)
        m = Mul (s, thousand)
        b = Reshape (m, shape)
        y = Conv <pads = [1, 1, 1, 1]> (b, v)
    }"""
    model = onnx.parser.parse_model(text)
    tensors = {
        "w": RNG.standard_normal((32, 16, 3, 3)).astype("f") / 12,
        "v": RNG.standard_normal((10, 32, 3, 3)).astype("f") / 17,
        "thousand": np.float32(1000),
        "shape": np.array([1, 32, 12, 12]),
    }
    model.graph.initializer.extend(onnx.numpy_helper.from_array(v, k) for k, v in tensors.items())
    for k, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{k}"
    return model


@pytest.mark.parametrize("repairs", [("mixed",), ("mixed", "fit")])
def test_only_what_breaks_stays_in_float(repairs, tmp_path):
    found = make(
        STATIC,
        saved(broken_in_the_middle(), tmp_path),
        Rows(RNG.standard_normal((48, 16, 12, 12)).astype("f")),
        Rows(RNG.standard_normal((48, 16, 12, 12)).astype("f")),
        same_samples=False,
        gate=Gate(min_sqnr_db=10.0),
        workdir=tmp_path / "work",
        options=Options(passes=repairs),
    ).fidelity
    assert found.passed
    (convolutions,) = (audit for audit in found.fusion if audit.operator == "Conv")
    assert convolutions.integer == 2
    for layer in found.float_layers:
        assert "Conv" not in layer.what
