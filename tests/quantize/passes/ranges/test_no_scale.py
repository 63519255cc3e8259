"""Layers that touch an attention mask stay in float: no scale has room for both the mask and the scores."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from edgeq.errors import DataRefused
from edgeq.ingest.samples import open_samples
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.calibration.tensor_stats import TensorStats
from edgeq.quantize.passes.ranges.no_scale import Layer, layers_without_scale, masked_tensors
from edgeq.workflow.convert import convert

RNG = np.random.default_rng(2)
LENGTH, WIDTH = 12, 32


ADDED = "masked = Add (scores, mask)"
# Each hides where `mask` is below zero, as models write it.
FORMS = {
    "added": ADDED,
    "divided after": "sum = Add (scores, mask) eight = Constant <value = float {1.5}> () masked = Div (sum, eight)",
    "subtracted": "other = Neg (mask) masked = Sub (scores, other)",
    "chosen": (
        "none = Constant <value = float {0}> () lowest = Constant <value = float {-10000}> () "
        "hide = Less (mask, none) masked = Where (hide, lowest, scores)"
    ),
    "with a bias": "biased = Add (scores, mask) masked = Add (biased, bias)",
}


def attention(path, masking=ADDED):
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    g (float[{LENGTH}, {WIDTH}] x, float[{LENGTH}, {LENGTH}] mask) => (float[{LENGTH}, {WIDTH}] y) {{
        q = MatMul (x, wq)
        k = MatMul (x, wk)
        v = MatMul (x, wv)
        kt = Transpose (k)
        scores = MatMul (q, kt)
        {masking}
        shares = Softmax (masked)
        y = MatMul (shares, v)
    }}"""
    model = parser.parse_model(text)
    for node in model.graph.node:
        node.name = node.output[0]
    for name in ("wq", "wk", "wv"):
        weight = RNG.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
        model.graph.initializer.append(numpy_helper.from_array(weight.astype("f"), name))
    if "bias" in masking:
        bias = RNG.standard_normal((LENGTH, LENGTH)).astype("f")
        model.graph.initializer.append(numpy_helper.from_array(bias, "bias"))
    onnx.save(model, path)


def converted(folder, recipe, hidden, masking=ADDED):
    attention(folder / "m.onnx", masking)
    masks = np.where(np.tril(np.ones((32, LENGTH, LENGTH))) > 0, 0, hidden).astype("f")
    np.savez(folder / "x.npz", x=RNG.standard_normal((32, LENGTH, WIDTH)).astype("f"), mask=masks)
    done = convert(
        str(folder / "m.onnx"),
        target="x86-64-vnni",
        data=str(folder / "x.npz"),
        recipe=recipe,
        runtime="onnxruntime",
        output=folder / "m.edgeq",
    )
    (found,) = (f for f in done.fidelity if f.candidate.endswith(recipe))
    return found


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        (-np.inf, "-inf, as in an attention mask"),
        (np.finfo(np.float32).min, "-3.4e+38, as in an attention mask"),
        (-1e9, "-1e+09, as in an attention mask"),
        (-10000, "-1e+04, as in an attention mask"),
        (-300, "-3e+02, as in an attention mask"),
    ],
)
@pytest.mark.parametrize("recipe", ["int8_static", "int8_dynamic"])
def test_a_mask_leaves_the_other_layers_quantized(hidden, said, recipe, tmp_path):
    found = converted(tmp_path, recipe, hidden)
    assert found.passed and found.outputs[0].sqnr_db > 20
    assert sum(a.integer for a in found.fusion) >= 3
    if recipe == "int8_static":
        reasons = [s.reason for s in found.float_layers]
        assert f"mask holds values that cannot share a scale with the others ({said})" in reasons


@pytest.mark.parametrize("masking", FORMS)
def test_a_mask_is_recognized_by_its_effect_on_a_softmax(masking, tmp_path):
    found = converted(tmp_path, "int8_static", -10000, FORMS[masking])
    assert found.passed and found.outputs[0].sqnr_db > 20
    assert any("as in an attention mask" in s.reason for s in found.float_layers)


def stats(low, high):
    values = TensorStats(histogram=False)
    values.add(np.array([low, high], np.float32))
    return values


@pytest.mark.parametrize(
    ("scores", "other", "joined", "hides"),
    [
        ((-8, 9), (-100, 0), (-108, 9), True),  # Swin's
        ((-8, 9), (-64, 0), (-72, 9), True),
        ((-8, 9), (-12, 0), (-20, 9), False),  # a bias by distance
        ((-200, 180), (-0.1, 0.1), (-200, 180), False),  # large scores with a small bias
        ((-8, 9), (-8, 9), (-16, 18), False),
    ],
)
def test_values_that_leave_the_scores_enough_of_the_range_are_no_mask(scores, other, joined, hides):
    layers = [Layer("add", "Add", ("s", "m"), ("t",)), Layer("softmax", "SOFTMAX", ("t",), ("y",))]
    tensors = {"s": stats(*scores), "m": stats(*other), "t": stats(*joined)}
    assert masked_tensors(layers, tensors) == ({"m", "t"} if hides else set())
    elsewhere = [layers[0], Layer("relu", "Relu", ("t",), ("y",))]
    assert not masked_tensors(elsewhere, tensors)


def test_padding_before_a_max_pool_is_no_mask():
    layers = [
        Layer("pad", "PADV2", ("x",), ("padded",)),
        Layer("pool", "MAX_POOL_2D", ("padded",), ("pooled",)),
        Layer("other", "MUL", ("pooled", "huge"), ("y",)),
    ]
    tensors = {
        "x": stats(0, 6),
        "padded": stats(-3.4e38, 6),
        "pooled": stats(0, 6),
        "huge": stats(-3.4e38, 0),
    }
    found = layers_without_scale(layers, tensors)
    room = "holds values that cannot share a scale with the others"
    assert found["pool"] == found["pad"] == f"padded {room} (-3.4e+38, as in the padding of a maximum)"
    assert found["other"] == f"huge {room} (-3.4e+38)"


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
def test_minus_infinity_is_accepted_only_in_a_mask(row, taken, tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([[[0, 0, 0, 0]], [row]], "f"))
    samples = open_samples(str(tmp_path / "x.npz"), inputs=SPECS)
    if taken:
        assert np.array_equal(samples[1][0][0], np.array(row, "f"))
    else:
        with pytest.raises(DataRefused, match="NaN or infinite"):
            samples[1]
