"""Calibration stops when the ranges converge, is not run twice, takes samples of any shape and rounds the ends
of ranges to twelve significant bits: another CPU, which computes other last bits, finds the same scales.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.calibration.calibrate import (
    Calibration,
    calibrate_onnx,
    range_ends,
    ranges_converged,
    ranges_of,
)
from edgeq.quantize.calibration.tensor_stats import SampleStats, TensorStats
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows, images, model_of, residual, saved

STATIC = CandidatePlan("onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test")
STATIC = replace(STATIC, scheme=Scheme("uint8", "int8", True))


@dataclass(frozen=True)
class Watched(Rows):
    """Remembers who was asked for."""

    asked: list = field(default_factory=list)

    def __getitem__(self, i):
        self.asked.append(i)
        return super().__getitem__(i)


@pytest.fixture
def model(tmp_path):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    return read(tmp_path / "net.onnx")


def test_it_stops_where_more_samples_would_change_no_range(model):
    samples = Watched(np.tile(images(32), (30, 1, 1, 1)))
    stats = calibrate_onnx(model, samples, True)
    assert stats.samples == 128
    assert 128 <= len(samples.asked) < 128 + 16  # short runs are handed over together
    everything = calibrate_onnx(model, Rows(images(32)), True)
    assert ranges_of(stats, "minmax") == ranges_of(everything, "minmax")


def test_it_goes_on_while_a_single_range_grows(model):
    rows = np.tile(images(32), (8, 1, 1, 1)) * np.linspace(0.5, 1, 256, dtype=np.float32)[:, None, None, None]
    assert calibrate_onnx(model, Rows(rows), True).samples == 256


def test_ranges_converged_where_ends_move_by_less_than_two_percent_of_the_width(model):
    before = range_ends(calibrate_onnx(model, Rows(images(20)), True).tensors)
    width = before[:, 1:2] - before[:, 0:1]
    one = np.zeros_like(before)
    one[3, 1] = 1
    assert ranges_converged(before, before + 0.019 * width * one)
    assert not ranges_converged(before, before + 0.021 * width * one)


def test_the_result_says_how_many_samples_were_enough(tmp_path):
    net, samples = saved(residual(), tmp_path), Rows(np.tile(images(32), (8, 1, 1, 1)))
    found = made(
        net, samples, Rows(images(8, seed=9), sha256="h" * 64), tmp_path, options=Options(calibrator="minmax")
    )
    assert found.fidelity.calibrator == "minmax, of 128 of 256 samples: ranges converged"


def made(net, samples, heldout, folder, **options):
    options = {"gate": Gate(), "workdir": folder / "work", **options}
    return make(STATIC, net, samples, heldout, same_samples=False, **options)


def test_the_same_model_and_samples_are_not_run_again(model, tmp_path):
    cache, first, second = ArrayCache(tmp_path / "cache"), Watched(images(20)), Watched(images(20))
    stats = calibrate_onnx(model, first, True, cache=cache)
    again = calibrate_onnx(model, second, True, cache=cache)
    assert (len(first.asked), len(second.asked)) == (20, 0)
    for way in ("minmax", "moving_average", "percentile", "mse", "entropy"):
        assert ranges_of(stats, way) == ranges_of(again, way)


def test_other_samples_another_model_and_a_missing_histogram_are(model, tmp_path):
    cache = ArrayCache(tmp_path / "cache")
    calibrate_onnx(model, Watched(images(5)), False, cache=cache)
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    for changed, histogram, sha256 in ((other, False, "0"), (model, False, "1"), (model, True, "0")):
        samples = Watched(images(5), sha256=sha256 * 64)
        calibrate_onnx(changed, samples, histogram, cache=cache)
        assert len(samples.asked) == 5


def test_another_gate_needs_no_second_calibration(tmp_path):
    net, heldout, stages = saved(residual(), tmp_path), Rows(images(8, seed=9), sha256="h" * 64), []
    for gate in (Gate(min_sqnr_db=10), Gate(min_sqnr_db=11)):
        stages.append([])
        told = stages[-1]
        made(
            net, Rows(images(40)), heldout, tmp_path, gate=gate, options=Options(cache=tmp_path / "cache"),
            progress=lambda stage, share, told=told: told.append(stage),
        )  # fmt: skip
    assert "calibrate" in stages[0]
    assert "calibrate" not in stages[1]


class Sequences:
    """One sequence a sample, each of a length of its own; a random network of two layers reads them."""

    labels = truth = None

    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        lengths = rng.integers(3, 40, count)
        self.parts = [rng.normal(size=(1, int(n), 8)).astype(np.float32) for n in lengths]
        self.count, self.sha256 = count, str(seed) * 64

    def __getitem__(self, i):
        return (self.parts[i],)


def scores_over_time():
    rng = np.random.default_rng(0)
    shapes = {"one": (8, 32), "two": (32, 6)}
    weights = [
        numpy_helper.from_array(rng.normal(scale=0.3, size=s).astype(np.float32), n)
        for n, s in shapes.items()
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "one"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "two"], ["scores"], name="second"),
        helper.make_node("Softmax", ["scores"], ["y"], name="softmax", axis=-1),
    ]
    outputs = [(name, (1, "time", 6)) for name in ("scores", "y")]
    return model_of(nodes, weights, [("x", (1, "time", 8))], outputs)


def test_samples_of_varying_shape_are_calibrated_judged_and_explained(tmp_path):
    net = saved(scores_over_time(), tmp_path)
    found = made(net, Sequences(40, 1), Sequences(20, 2), tmp_path, gate=Gate(min_sqnr_db=60)).fidelity
    assert {o.output: o.sqnr_db > 25 for o in found.outputs} == {"scores": True, "y": True}
    assert [(f.operator, f.integer) for f in found.fusion] == [("MatMul", 2)]
    assert not found.passed
    assert {"x", "r", "scores"} <= {layer.layer for layer in found.worst_layers}


LOWEST = float(np.finfo(np.float32).min)


def rounded_ends(low, high):
    stats = TensorStats(histogram=False)
    stats.update(SampleStats(low, high, 8))
    return ranges_of(Calibration({"t": stats}, 1, ""), "minmax")["t"]


@pytest.mark.parametrize(
    ("stats", "found"),
    [
        ((0.0, 6.0), (0.0, 6.0)),  # what a Relu6 lets through stays
        ((0.0, 0.99998), (0.0, 1.0)),
        ((-1.2345678, 3.3333333), (-1.234375, 3.3330078125)),
        ((LOWEST, 1.0), (LOWEST, 1.0)),  # the mask of an attention
        ((0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_ends_are_rounded(stats, found):
    assert rounded_ends(*stats) == found


def test_last_bits_do_not_matter():
    values = np.random.default_rng(0).lognormal(size=500)
    same = sum(rounded_ends(-v, v) == rounded_ends(-v * (1 + 2e-7), v * (1 - 2e-7)) for v in values)
    assert same >= 497


def test_an_end_moves_by_a_sixteenth_of_a_step_at_most():
    for value in np.random.default_rng(1).lognormal(size=500):
        low, high = rounded_ends(-value, value)
        assert -low == high == pytest.approx(value, rel=1 / 256 / 16)
