"""A candidate with a few layers in float that gain much for little work."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.nouns.fidelity import Fidelity, OutputError
from edgeq.nouns.passes import passes_of
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.layer_noise import Noise
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.mixed_precision.few_float_layers import few_in_float
from tests.quantize.networks import STATIC, Rows, images, model_of, saved

MACS = {"a": 0.01, "b": 0.02, "c": 0.01, "heavy": 0.6}


def noise(name, share):
    return Noise(name, frozenset({name}), (share,), "rounding")


def at(sqnr_db):
    return Fidelity("c", 10, (OutputError("y", sqnr_db, 1.0),))


def closeness(shares, tried):
    """The noise that is left with some layers in float; `tried` collects the sets that were tried."""

    def db(in_float):
        tried.append(in_float)
        return -10 * np.log10(sum(s for name, s in shares.items() if name not in in_float))

    return db


def test_the_fewest_layers_that_gain_nearly_the_most():
    shares, tried = {"a": 0.010, "b": 0.008, "c": 0.0001, "heavy": 0.001}, []
    ranked = [noise(n, s) for n, s in shares.items()]
    few = few_in_float(at(17.2), frozenset(), lambda: ranked, MACS, closeness(shares, tried))
    assert few.in_float == {"a", "b"} and few.macs_share == pytest.approx(0.03)
    assert few.gain_db == pytest.approx(12.4, abs=0.1)
    assert few.added["a"].endswith("in float the outputs gain 6 dB or more for 3.0% of the work")
    assert len(tried) <= 7 and len(set(tried)) == len(tried)


@pytest.mark.parametrize(
    ("sqnr_db", "shares"),
    [
        (17.2, {"heavy": 0.01, "a": 0.001, "b": 0.001}),  # what does much of the work is not left in float
        (17.2, {"a": 0.003, "b": 0.002, "heavy": 0.003}),  # 4 dB
        (31.0, {"a": 0.010, "heavy": 0.0001}),  # close enough as it is
    ],
)
def test_none_where_the_gain_is_small(sqnr_db, shares):
    ranked = [noise(n, s) for n, s in shares.items()]
    assert few_in_float(at(sqnr_db), frozenset(), lambda: ranked, MACS, closeness(shares, [])) is None


def test_none_is_tried_where_the_noise_predicts_no_gain():
    shares, tried = {"heavy": 0.01, "a": 0.001}, []
    ranked = [noise(n, s) for n, s in shares.items()]
    few_in_float(at(17.2), frozenset(), lambda: ranked, MACS, closeness(shares, tried))
    assert tried == []


def depthwise():
    """Channels of very different size behind a swish, which no equalization can even out, into a depthwise convolution;
    then two layers that do nearly all of the work.
    """
    rng = np.random.default_rng(5)
    size = np.geomspace(1, 300, 16).astype(np.float32)
    first = rng.normal(size=(16, 3, 3, 3)) * size[:, None, None, None] / 5
    deep = rng.normal(size=(16, 1, 3, 3)) / size[:, None, None, None]
    weights = {
        "w0": first, "w1": deep, "w2": rng.normal(size=(64, 16, 1, 1)) / 4, "w3": rng.normal(size=(64, 64, 3, 3)) / 24,
        "w4": rng.normal(size=(64, 64, 3, 3)) / 24, "w5": rng.normal(size=(10, 64)),
    }  # fmt: skip
    pads = [1, 1, 1, 1]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], "first", pads=pads),
        helper.make_node("Sigmoid", ["c0"], ["s0"], "sigmoid"),
        helper.make_node("Mul", ["c0", "s0"], ["a0"], "swish"),
        helper.make_node("Conv", ["a0", "w1"], ["c1"], "deep", pads=pads, group=16),
        helper.make_node("Conv", ["c1", "w2"], ["c2"], "point"),
        helper.make_node("Relu", ["c2"], ["a2"], "relu2"),
        helper.make_node("Conv", ["a2", "w3"], ["c3"], "wide", pads=pads),
        helper.make_node("Relu", ["c3"], ["a3"], "relu3"),
        helper.make_node("Conv", ["a3", "w4"], ["c4"], "wider", pads=pads),
        helper.make_node("Relu", ["c4"], ["a4"], "relu4"),
        helper.make_node("GlobalAveragePool", ["a4"], ["pool"], "pool"),
        helper.make_node("Flatten", ["pool"], ["flat"], "flat"),
        helper.make_node("Gemm", ["flat", "w5"], ["y"], "head", transB=1),
    ]
    stored = [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in weights.items()]
    return model_of(nodes, stored, [("x", (1, 3, 12, 12))], [("y", (1, 10))])


def test_a_depthwise_network_gets_both_candidates(tmp_path):
    model = saved(depthwise(), tmp_path)
    parts = [Rows(images(48, seed=s, shape=(3, 12, 12)), sha256=str(s) * 64) for s in (1, 2)]

    def made(repairs):
        return make(STATIC, model, *parts, same_samples=False, gate=Gate(min_sqnr_db=5.0), workdir=tmp_path / repairs, options=Options(passes=passes_of(repairs)))  # fmt: skip

    plain = made("all")
    few = plain.few_float
    assert few is not None and few.plan.id == "onnxruntime-int8_static-few-float"
    (before,), (after,) = plain.fidelity.outputs, few.fidelity.outputs
    assert after.sqnr_db >= before.sqnr_db + 6
    assert few.path.is_file() and few.path.read_bytes() != plain.path.read_bytes()
    assert "deep" in {skipped.what.rpartition(": ")[2] for skipped in few.fidelity.float_layers}
    assert "in float" in few.plan.reason and "% of the work" in few.plan.reason
    without = made("-mixed")
    assert without.few_float is None
    assert without.path.read_bytes() == plain.path.read_bytes()  # the search leaves the plain file as it was


def test_a_depthwise_network_gets_both_candidates_on_litert(tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    pytest.importorskip("litert_quantizer")
    from tests.quantize.tflite_networks import model_of_file, write

    rng = np.random.default_rng(5)
    size = np.geomspace(1, 300, 16)
    conv, deep = schema.Conv2DOptionsT(), schema.DepthwiseConv2DOptionsT()
    for options in (conv, deep):
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    deep.depthMultiplier = 1
    shape = dict.fromkeys(("c0", "s0", "a0", "c1"), (1, 12, 12, 16))
    file = write(
        tmp_path / "net.tflite",
        {"x": (1, 12, 12, 3), **shape, "c2": (1, 12, 12, 64), "y": (1, 12, 12, 64)},
        {
            "w0": rng.normal(size=(16, 3, 3, 3)) * size[:, None, None, None] / 5, "b0": np.zeros(16),
            "w1": rng.normal(size=(1, 3, 3, 16)) / size, "b1": np.zeros(16),
            "w2": rng.normal(size=(64, 3, 3, 16)) / 12, "b2": np.zeros(64),
            "w3": rng.normal(size=(64, 3, 3, 64)) / 24, "b3": np.zeros(64),
        },
        [
            ("CONV_2D", conv, ["x", "w0", "b0"], "c0"),
            ("LOGISTIC", schema.LogSoftmaxOptionsT(), ["c0"], "s0"),
            ("MUL", schema.MulOptionsT(), ["c0", "s0"], "a0"),
            ("DEPTHWISE_CONV_2D", deep, ["a0", "w1", "b1"], "c1"),
            ("CONV_2D", conv, ["c1", "w2", "b2"], "c2"),
            ("CONV_2D", conv, ["c2", "w3", "b3"], "y"),
        ],
        ("x",),
        ("y",),
    )  # fmt: skip
    plan = CandidatePlan(
        "litert-int8_static", "litert", "int8_static", "tflite", "", Scheme("int8", "int8", True)
    )
    parts = [
        Rows(
            np.ascontiguousarray(images(32, seed=s, shape=(3, 12, 12)).transpose(0, 2, 3, 1)),
            sha256=str(s) * 64,
        )
        for s in (1, 2)
    ]
    plain = make(
        plan,
        model_of_file(file),
        *parts,
        same_samples=False,
        gate=Gate(min_sqnr_db=-1000.0),
        workdir=tmp_path / "o",
    )
    assert plain.few_float is not None
    (before,), (after,) = plain.fidelity.outputs, plain.few_float.fidelity.outputs
    assert after.sqnr_db >= before.sqnr_db + 6
    assert any(f.integer for f in plain.few_float.fidelity.fusion)
