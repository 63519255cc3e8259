"""Operators that combine boxes in pixels with scores below 1 behind the last layers stay in float, whatever they are."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.passes import passes_of
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes import joins
from edgeq.quantize.passes.joins import onnx_joins, tflite_joins
from edgeq.quantize.quantization import Quantization
from tests.quantize.networks import STATIC, Rows, images, model_of, saved

RNG = np.random.default_rng(0)
BOXES = (40 * RNG.normal(size=(4, 3, 3, 3))).astype(np.float32)
SCORES = (0.2 * RNG.normal(size=(6, 3, 3, 3))).astype(np.float32)
SAMPLES = Rows(images(24, shape=(3, 8, 8)))
LITERT = CandidatePlan(
    "litert-int8_static", "litert", "int8_static", "tflite", "a test", Scheme("int8", "int8", True)
)


def onnx_net(joins, shape, constants=()):
    """`joins` are (kind, inputs, output, attributes) behind boxes [1, 4, 8, 8] in pixels and scores [1, 6, 8, 8]."""
    nodes = [
        helper.make_node("Conv", ["x", "wb"], ["boxes"], "conv_b", pads=[1] * 4),
        helper.make_node("Conv", ["x", "ws"], ["logits"], "conv_s", pads=[1] * 4),
        helper.make_node("Sigmoid", ["logits"], ["scores"], "sigmoid"),
    ]
    nodes += [helper.make_node(kind, i, [o], o, **attributes) for kind, i, o, attributes in joins]
    weights = [numpy_helper.from_array(BOXES, "wb"), numpy_helper.from_array(SCORES, "ws")]
    weights += [numpy_helper.from_array(np.asarray(v), n) for n, v in constants]
    return model_of(nodes, weights, [("x", (1, 3, 8, 8))], [("y", shape)])


CONCAT = onnx_net([("Concat", ["boxes", "scores"], "y", {"axis": 1})], (1, 10, 8, 8))
# Linear scores, and the join goes through moves of values to the output.
MOVED = onnx_net(
    [
        ("Concat", ["boxes", "logits"], "join", {"axis": 1}),
        ("Transpose", ["join"], "turned", {"perm": [0, 2, 3, 1]}),
        ("Reshape", ["turned", "shape"], "y", {}),
    ],
    (1, 64, 10),
    [("shape", np.array([1, 64, 10]))],
)
PADDED = onnx_net(
    [
        ("Pad", ["boxes", "after"], "b", {}),
        ("Pad", ["logits", "before"], "s", {}),
        ("Add", ["b", "s"], "y", {}),
    ],
    (1, 10, 8, 8),
    [("after", np.array([0, 0, 0, 0, 0, 6, 0, 0])), ("before", np.array([0, 4, 0, 0, 0, 0, 0, 0]))],
)
FACTORS = onnx_net(
    [
        ("Slice", ["logits", "start", "end", "axis"], "first", {}),
        ("Mul", ["first", "factor"], "y", {}),
    ],
    (1, 5, 8, 8),
    [
        ("start", np.array([0])), ("end", np.array([5])), ("axis", np.array([1])),
        ("factor", np.array([640, 640, 1, 1, 1], np.float32).reshape(1, 5, 1, 1)),
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("net", "left"),
    [
        (CONCAT, {"y"}),
        (MOVED, {"join", "turned", "y"}),
        (PADDED, {"y"}),
        (FACTORS, {"y"}),
    ],
)
def test_the_join_and_what_follows_are_in_float(tmp_path, net, left):
    saved(net, tmp_path)
    assert set(onnx_joins(read(tmp_path / "net.onnx"), SAMPLES, 1)) == left


@pytest.mark.parametrize("net", [MOVED, PADDED, FACTORS])
def test_scores_keep_a_scale_of_their_own_on_onnxruntime(tmp_path, net):
    model = saved(net, tmp_path)
    held = Rows(images(16, seed=1, shape=(3, 8, 8)))

    def made(repairs):
        return make(STATIC, model, SAMPLES, held, same_samples=False, gate=Gate(), workdir=tmp_path / repairs, options=Options(passes=passes_of(repairs))).fidelity  # fmt: skip

    (error,) = made("joins").outputs
    assert (error.small_db, error.constant) == (None, "")
    plain = made("none")
    assert not plain.passed
    assert "of its small values" in plain.why_failed or "varies in float and not here" in plain.why_failed


def test_parts_of_one_size_and_joins_before_a_layer_are_quantized(tmp_path):
    alike = onnx_net([("Concat", ["logits", "scores"], "y", {"axis": 1})], (1, 12, 8, 8))
    saved(alike, tmp_path)
    assert onnx_joins(read(tmp_path / "net.onnx"), SAMPLES, 1) == {}
    layer = onnx_net(
        [
            ("Concat", ["boxes", "scores"], "join", {"axis": 1}),
            ("Conv", ["join", "w"], "y", {}),
        ],
        (1, 2, 8, 8),
        [("w", RNG.normal(size=(2, 10, 1, 1)).astype(np.float32))],
    )
    saved(layer, tmp_path)
    assert onnx_joins(read(tmp_path / "net.onnx"), SAMPLES, 1) == {}


def tflite_net(path: Path, how: str) -> Path:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    from tests.quantize.tflite_networks import write

    conv = schema.Conv2DOptionsT()
    conv.strideH = conv.strideW = conv.dilationHFactor = conv.dilationWFactor = 1
    concat, pack = schema.ConcatenationOptionsT(), schema.PackOptionsT()
    concat.axis, pack.axis, pack.valuesCount = 3, 4, 2
    boxes, scores = BOXES.transpose(0, 2, 3, 1), SCORES.transpose(0, 2, 3, 1)
    if how == "pack":
        scores = scores[:4]
    b, s = len(boxes), len(scores)
    shapes = {"x": (1, 8, 8, 3), "boxes": (1, 8, 8, b), "logits": (1, 8, 8, s), "scores": (1, 8, 8, s)}
    operators = [
        ("CONV_2D", conv, ["x", "wb", "bb"], "boxes"),
        ("CONV_2D", conv, ["x", "ws", "bs"], "logits"),
        ("LOGISTIC", schema.LogSoftmaxOptionsT(), ["logits"], "scores"),
    ]
    constants = {"wb": boxes, "bb": np.zeros(b), "ws": scores, "bs": np.zeros(s)}
    if how == "concat":
        shapes |= {"y": (1, 8, 8, b + s)}
        operators += [("CONCATENATION", concat, ["boxes", "scores"], "y")]
    elif how == "pack":
        shapes |= {"y": (1, 8, 8, 4, 2)}
        operators += [("PACK", pack, ["boxes", "scores"], "y")]
    else:
        shapes |= {"pb": (1, 8, 8, 10), "ps": (1, 8, 8, 10), "y": (1, 8, 8, 10)}
        constants |= {"after": np.array([[0, 0]] * 3 + [[0, 6]]), "before": np.array([[0, 0]] * 3 + [[4, 0]])}
        operators += [
            ("PAD", schema.PadOptionsT(), ["boxes", "after"], "pb"),
            ("PAD", schema.PadOptionsT(), ["scores", "before"], "ps"),
            ("ADD", schema.AddOptionsT(), ["pb", "ps"], "y"),
        ]
    return write(path, shapes, constants, operators, ("x",), ("y",))


@pytest.mark.parametrize("how", ["concat", "pack", "pad and add"])
def test_scores_keep_a_scale_of_their_own_on_litert(tmp_path, how):
    pytest.importorskip("litert_quantizer")
    from tests.quantize.tflite_networks import model_of_file

    file = tflite_net(tmp_path / "net.tflite", how)
    rows = Rows(np.ascontiguousarray(SAMPLES.rows.transpose(0, 2, 3, 1)))
    assert list(tflite_joins(file, rows, 1)) == ["y"]
    held = Rows(np.ascontiguousarray(images(16, seed=1, shape=(3, 8, 8)).transpose(0, 2, 3, 1)))

    def made(repairs):
        return make(LITERT, model_of_file(file), rows, held, same_samples=False, gate=Gate(), workdir=tmp_path / repairs, options=Options(passes=passes_of(repairs))).fidelity  # fmt: skip

    joined = made("joins")
    (error,) = joined.outputs
    assert joined.passed and (error.small_db, error.constant) == (None, "")
    assert sum(f.integer for f in joined.fusion) == 2  # both convolutions
    assert not made("none").passed


@pytest.mark.parametrize(
    "scheme", [Scheme("int16", "int8", True), Scheme("int8", "int8", True, integer_io=True)]
)
def test_where_the_pass_does_not_apply_it_does_not_say_that_it_was_switched_off(scheme):
    candidate = CandidatePlan("litert-a", "litert", "int16x8_static", "tflite", "a test", scheme=scheme)
    (result,) = joins.run(Quantization(candidate, "static", 8, Path("net.tflite")), None).results
    assert (result.kept, result.why) == (False, "does not apply to int16 activations or integer I/O")
