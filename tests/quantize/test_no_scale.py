"""Attention masks of minus infinity are samples like any other, and no scale is looked for that holds them."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgeq.errors import DataRefused
from edgeq.ingest.samples import open_samples
from edgeq.nouns.tensor import TensorSpec
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(2)
LENGTH, WIDTH = 12, 32


def attention(path):
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    g (float[{LENGTH}, {WIDTH}] x, float[{LENGTH}, {LENGTH}] mask) => (float[{LENGTH}, {WIDTH}] y) {{
        q = MatMul (x, wq)
        k = MatMul (x, wk)
        v = MatMul (x, wv)
        kt = Transpose (k)
        scores = MatMul (q, kt)
        masked = Add (scores, mask)
        shares = Softmax (masked)
        y = MatMul (shares, v)
    }}"""
    model = parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    for name in ("wq", "wk", "wv"):
        weight = RNG.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
        model.graph.initializer.append(numpy_helper.from_array(weight.astype("f"), name))
    onnx.save(model, path)


@pytest.mark.parametrize("hidden", [-np.inf, np.finfo(np.float32).min], ids=["-inf", "lowest float32"])
@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
def test_a_mask_costs_the_other_layers_nothing(hidden, recipe, tmp_path):
    attention(tmp_path / "m.onnx")
    masks = np.where(np.tril(np.ones((32, LENGTH, LENGTH))) > 0, 0, hidden).astype("f")
    np.savez(tmp_path / "x.npz", x=RNG.standard_normal((32, LENGTH, WIDTH)).astype("f"), mask=masks)
    done = convert(
        str(tmp_path / "m.onnx"),
        target="x86-64-vnni",
        data=str(tmp_path / "x.npz"),
        recipe=recipe,
        runtime="onnxruntime",
        output=tmp_path / "m.edgeq",
    )
    (found,) = (f for f in done.fidelity if f.candidate.endswith(recipe))
    assert found.passed and found.outputs[0].sqnr_db > 20
    assert sum(a.integer for a in found.fusion) >= 3
    if recipe == "int8_static":
        reasons = [s.reason for s in found.float_layers]
        assert any(why.startswith("mask holds values that no scale has room for") for why in reasons)


SPECS = (TensorSpec("x", "float32", (1, 4)),)


@pytest.mark.parametrize(
    ("row", "taken"),
    [
        ([0, 0, -np.inf, -np.inf], True),
        ([-0.5, -1, -1.5, -np.inf], True),  # a bias by distance
        ([0.5, 0, -np.inf, 1], False),
        ([np.inf, 0, 0, 0], False),
        ([np.nan, 0, 0, -np.inf], False),
        ([-np.inf] * 4, False),  # hides everything
    ],
)
def test_only_what_can_be_a_mask_may_hold_minus_infinity(row, taken, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([[[0, 0, 0, 0]], [row]], "f"))
    samples = open_samples(str(tmp_path / "x.npz"), inputs=SPECS)
    if taken:
        assert np.array_equal(samples[1][0][0], np.array(row, "f"))
    else:
        with pytest.raises(DataRefused, match="NaN or infinite"):
            samples[1]
