"""A gate that fails is first met by leaving in float what hurts; what cannot be met is reported with the worst layers."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize import float_graph
from edgeq.quantize.audit.noise import Noise
from edgeq.quantize.audit.sensitivity import onnx_noise, sample_count
from edgeq.quantize.calibrate import onnx_seen, ranges_of
from edgeq.quantize.emitters import onnx_qdq
from edgeq.quantize.gate import Gate
from edgeq.quantize.host_run import no_progress
from edgeq.quantize.make import make
from edgeq.quantize.repair import repaired
from tests.quantize.networks import Rows, images, model_of, residual, saved

U8S8 = Scheme("uint8", "int8", True)
PLAN = CandidatePlan("onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=U8S8)
HELD_OUT = Rows(images(30, seed=9), sha256="h" * 64)


def two_scales():
    """A trunk of three convolutions and a detector's head: one output that joins values of 0..1 and of 0..10,000."""
    rng = np.random.default_rng(3)
    weights = [
        numpy_helper.from_array(rng.normal(scale=0.2, size=s).astype(np.float32), n)
        for n, s in {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "c": (8, 8, 3, 3)}.items()
    ]
    weights.append(numpy_helper.from_array(np.array([10_000.0], np.float32), "big"))
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "a"], ["ca"], name="ca", pads=[1, 1, 1, 1]),
        node("Relu", ["ca"], ["ra"], name="ra"),
        node("Conv", ["ra", "b"], ["cb"], name="cb", pads=[1, 1, 1, 1]),
        node("Relu", ["cb"], ["rb"], name="rb"),
        node("Conv", ["rb", "c"], ["cc"], name="cc", pads=[1, 1, 1, 1]),
        node("Sigmoid", ["cc"], ["score"], name="score"),
        node("Mul", ["score", "big"], ["box"], name="box"),
        node("Concat", ["score", "box"], ["joined"], name="joined", axis=1),
        node("Slice", ["joined", "from", "to", "axes"], ["scores"], name="scores"),
    ]
    weights += [
        numpy_helper.from_array(np.array([v], np.int64), n) for n, v in (("from", 0), ("to", 8), ("axes", 1))
    ]
    shape = (1, 8, 16, 16)
    return model_of(nodes, weights, [("x", (1, 3, 16, 16))], [("joined", (1, 16, 16, 16)), ("scores", shape)])


def test_the_head_that_loses_its_scale_is_found_and_left_in_float(tmp_path):
    net = saved(two_scales(), tmp_path)
    found = make(
        PLAN,
        net,
        Rows(images(20)),
        HELD_OUT,
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "w",
        calibrator="minmax",
    ).fidelity
    left = {s.what: s.reason for s in found.float_layers}
    assert found.passed
    assert "joined" in left
    assert not {"ca", "cb"} & set(left)
    assert "alone leaves" in left["joined"] and "dB at the output" in left["joined"]
    assert {a.operator: (a.integer >= 2, a.total) for a in found.fusion} == {"Conv": (True, 3)}


def test_how_many_samples_are_tried_follows_from_the_model_never_from_the_clock(tmp_path):
    keyword_spotting, detector, huge = (22, 2_656_768), (205, 121_491_744), (900, 10**11)
    assert [sample_count(800, *model) for model in (keyword_spotting, detector, huge)] == [8, 3, 1]
    assert sample_count(2, *keyword_spotting) == 2

    saved(two_scales(), tmp_path)
    source, out = tmp_path / "net.onnx", tmp_path / "int8.onnx"
    model = float_graph.read(source)
    onnx_qdq.emit(model, out, U8S8, ranges_of(onnx_seen(model, Rows(images(20)), False), "minmax"))
    once, again = (onnx_noise(model, out, HELD_OUT, threads=1, progress=no_progress) for _ in range(2))
    assert once == again


def test_noise_is_measured_at_the_outputs_one_tensor_at_a_time(tmp_path):
    net = saved(two_scales(), tmp_path)
    source, out = tmp_path / "net.onnx", tmp_path / "int8.onnx"
    model = float_graph.read(source)
    assert net.files["onnx"] == str(source)
    onnx_qdq.emit(model, out, U8S8, ranges_of(onnx_seen(model, Rows(images(20)), False), "minmax"))
    noise = onnx_noise(model, out, HELD_OUT, threads=1, progress=no_progress)
    assert noise[0].layer in ("joined", "scores")
    assert noise[0].sqnr_db < 1 < 30 < {n.layer: n for n in noise}["a"].sqnr_db
    assert all(len(n.shares) == 2 for n in noise)


def test_clipping_and_rounding_are_told_apart(tmp_path):
    saved(residual(), tmp_path)
    model, out = float_graph.read(tmp_path / "net.onnx"), tmp_path / "int8.onnx"
    ranges = ranges_of(onnx_seen(model, Rows(images(20)), False), "minmax")
    onnx_qdq.emit(model, out, U8S8, {**ranges, "one.r": (0.0, ranges["one.r"][1] / 5)})
    causes = {n.layer: n.cause for n in onnx_noise(model, out, HELD_OUT, threads=1, progress=no_progress)}
    assert causes["one.r"] == "clipping"
    assert causes["two.r"] == "rounding"


def test_what_no_layer_can_save_fails_with_the_worst_layers(tmp_path):
    net = saved(residual(), tmp_path)
    gate = Gate(min_agreement=100.1)
    found = make(
        PLAN, net, Rows(images(20)), HELD_OUT, same_samples=False, gate=gate, workdir=tmp_path / "w"
    ).fidelity
    assert not found.passed
    assert "limit 100.1 %" in found.why_failed
    assert 1 <= len(found.worst_layers) <= 5
    assert found.float_layers == ()


class Pretended:
    """A variant whose gate holds once the given layers are in float; counts what is tried."""

    path = calibrator = None

    def __init__(self, needed):
        self.needed, self.tried, self.integer = needed, [], 1

    def write(self, leave):
        self.written = leave

    def noise(self, samples, progress):
        return tuple(
            Noise(f"n{i:02}", frozenset({f"n{i:02}"}), (1 / (i + 1),), "rounding") for i in range(40)
        )

    def fusion(self):
        from edgeq.nouns.fidelity import FusionAudit

        return (FusionAudit("Conv", self.integer, 9, 0, "pretended"),)

    def judged(self, leave):
        self.write(leave)
        self.tried.append(len(leave))
        passed = self.needed <= leave
        return Fidelity("c", 1, (), passed=passed, why_failed=None if passed else "too far")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 11, 31, 32])
def test_the_fewest_layers_are_left_with_a_bounded_number_of_tries(number):
    variant = Pretended({f"n{i:02}" for i in range(number)})
    fidelity, left = repaired(variant, variant.judged, None, no_progress)
    assert fidelity.passed
    assert len(left) == len(variant.written) == number
    assert len(variant.tried) <= 13


@pytest.mark.parametrize("number", [33, 40])
def test_what_needs_too_many_stays_quantized_and_fails(number):
    variant = Pretended({f"n{i:02}" for i in range(number)})
    fidelity, left = repaired(variant, variant.judged, None, no_progress)
    assert (fidelity.passed, left, variant.written) == (False, {}, frozenset())


def test_a_repair_that_leaves_no_integer_kernel_is_none():
    variant = Pretended({"n00"})
    variant.integer = 0
    fidelity, left = repaired(variant, variant.judged, None, no_progress)
    assert (fidelity.passed, left) == (False, {})
