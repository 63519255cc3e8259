"""The noise of a candidate against float, and what follows from it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.evaluate.evaluator import (
    file_evaluator,
    gain_of,
    graph_evaluator,
    mean_sqnr_db,
    noise_of,
    tflite_evaluator,
    worst_sqnr_db,
)
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.samples import Subset, evenly_spaced, split_of
from tests.quantize.networks import Rows, images, residual, saved
from tests.quantize.tflite_networks import dense

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Watched(Rows):
    asked: list = field(default_factory=list)

    def __getitem__(self, i):
        self.asked.append(i)
        return super().__getitem__(i)


def moved(model, by):
    """The network with other biases in its first layer."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    bias = next(i for i in copy.graph.initializer if i.name == "stem.b")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(by), "stem.b"))
    return copy


def test_noise_is_of_one_sample_over_the_signal_of_all():
    reference, output = RNG.normal(size=(2, 5, 3))
    noise = noise_of((reference,), (output,))
    assert noise.shape == (5, 1)
    assert noise[2, 0] == pytest.approx(((output - reference)[2] ** 2).sum() / (reference**2).sum())
    assert mean_sqnr_db(noise) == pytest.approx(sqnr_db(reference, output))


def test_samples_of_varying_shape_count_alike():
    shapes = [(3,), (7,), (1,)]
    rows = [tuple(RNG.normal(size=s) for s in shapes) for _ in range(2)]
    loose = [np.array([*r, None], dtype=object)[:3] for r in rows]
    together = [np.concatenate(r)[None] for r in rows]
    assert mean_sqnr_db(noise_of((loose[0],), (loose[1],))) == pytest.approx(sqnr_db(*together))


def test_outputs_count_alike_or_the_worst_of_them():
    noise = np.array([[0.01, 0.0], [0.09, 0.001]])
    assert mean_sqnr_db(noise) == pytest.approx((10 + 30) / 2)
    assert worst_sqnr_db(noise) == pytest.approx(10)
    equal = np.zeros((2, 2))
    assert mean_sqnr_db(equal) == worst_sqnr_db(equal) == worst_sqnr_db(np.zeros((2, 0))) == 200.0


def test_a_gain_is_that_of_the_samples_in_decibels():
    before = RNG.uniform(1, 2, (64, 2)) * [1.0, 100.0]
    assert gain_of(before, 0.5 * before).db == pytest.approx(3.01, abs=0.01)
    assert gain_of(before, 0.9 * before).reaches(0.4) and not gain_of(before, 0.9 * before).reaches(0.5)
    assert not gain_of(before, before).reaches(0.0)
    assert not gain_of(before, 1.1 * before).reaches(0.0)
    assert gain_of(before, 1.05 * before).reaches(-0.3) and not gain_of(before, 1.1 * before).reaches(-0.3)
    halved_or_doubled = before * np.where(np.arange(64) % 2, 0.5, 2.0)[:, None]
    assert not gain_of(before, halved_or_doubled).reaches(0.0)
    assert abs(gain_of(before, halved_or_doubled).standard_errors) < 0.01


def test_one_sample_of_large_noise_does_not_decide():
    before = np.ones((64, 1))
    before[0] = 1000.0
    after = np.where(before > 1, 0.5 * before, 1.2 * before)  # the SQNR of all would gain 2.6 dB
    assert not gain_of(before, after).reaches(0.0)


def test_outputs_count_alike_in_a_gain():
    before = RNG.uniform(1, 2, (64, 2)) * [1.0, 100.0]
    assert gain_of(before, before * [0.9, 1.0]).reaches(0.2)
    assert gain_of(before, before * [0.9, 1.0]).db == pytest.approx(
        gain_of(before, before * [1.0, 0.9]).db, abs=0.001
    )


def test_no_output_and_no_number_show_no_gain():
    assert not gain_of(np.zeros((0, 0)), np.zeros((0, 0))).reaches(0.0)
    assert not gain_of(np.ones((8, 1)), np.full((8, 1), np.nan)).reaches(0.0)


def test_graphs_and_files_of_one_network_have_the_same_noise(tmp_path):
    path = Path(saved(residual(), tmp_path).files["onnx"])
    model, samples, positions = read(path), Rows(images(20)), (0, 3, 19)
    graphs = graph_evaluator(model, Subset(samples, positions), 1)
    files = file_evaluator(path, Subset(samples, positions), 1)
    onnx.save(moved(model, 0.1), str(tmp_path / "moved.onnx"))
    noise = graphs.noise(moved(model, 0.1))
    assert noise.shape == (3, 1) and 0 < noise.sum() < 0.1
    np.testing.assert_allclose(files.noise(tmp_path / "moved.onnx"), noise, rtol=1e-3)
    assert graphs.sqnr_db(model) == 200.0


def test_tflite_files_are_compared_at_their_outputs(tmp_path):
    pytest.importorskip("ai_edge_litert")
    file = dense(tmp_path / "net.tflite")
    samples = Rows(RNG.normal(size=(4, 64)).astype(np.float32))
    assert tflite_evaluator(file, Subset(samples, (0, 2)), 1).sqnr_db(file) == 200.0


def test_the_outputs_of_float_are_cached(tmp_path):
    path = Path(saved(residual(), tmp_path).files["onnx"])
    cache, asked = ArrayCache(tmp_path / "cache"), []
    for positions in ((0, 2, 4), (0, 2, 4), (1, 2, 4)):
        samples = Watched(images(5))
        file_evaluator(path, Subset(samples, positions), 1, model="m", cache=cache)
        asked.append(bool(samples.asked))
    assert asked == [True, False, True]


@pytest.mark.parametrize("count", [32, 33, 200, 1000])
def test_samples_to_fit_choose_and_check_by_are_apart(count):
    split = split_of(Rows(images(4)[np.arange(count) % 4]))
    parts = [set(part.positions) for part in (split.fit, split.choose, split.check)]
    assert set.union(*parts) <= set(range(count)) and sum(map(len, parts)) == len(set.union(*parts)) == min(
        count, 256
    )
    assert set(split.learn.positions) == parts[0] | parts[1]


def test_few_samples_are_not_split():
    split = split_of(Rows(images(31)))
    assert split.fit == split.choose == split.check and split.learn.positions == tuple(range(31))


def test_positions_reach_from_the_first_to_the_last():
    assert evenly_spaced(Rows(images(5)), 128).positions == (0, 1, 2, 3, 4)
    assert evenly_spaced(Rows(images(100)), 3).positions == (0, 49, 99)
    assert evenly_spaced(Subset(Rows(images(100)), (7, 8, 9)), 2).positions == (7, 9)
