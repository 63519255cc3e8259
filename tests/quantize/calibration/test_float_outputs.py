"""What calibration saw of float's outputs is what float gives, and only for samples that it saw."""

import numpy as np
import onnx
import pytest

from edgeq.graphs.float_graph import read
from edgeq.quantize.calibration.calibrate import calibrate_onnx
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.samples import Subset, split_of
from tests.quantize.networks import Rows, images, residual


@pytest.fixture
def model(tmp_path):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    return read(tmp_path / "net.onnx")


def test_they_are_those_of_another_run(model):
    samples = Rows(images(40))
    seen = calibrate_onnx(model, samples, True, kept=("scores",)).outputs
    check = split_of(samples).check
    known, run = graph_evaluator(model, check, 1, seen).reference, graph_evaluator(model, check, 1).reference
    np.testing.assert_allclose(known[0], run[0], rtol=1e-4, atol=1e-5)


def test_other_tensors_and_other_samples_are_unknown(model):
    samples, others = Rows(images(6)), Rows(images(6, seed=1))
    seen = calibrate_onnx(model, samples, False, kept=("scores",)).outputs
    assert len(seen.of(("scores",), Subset(samples, (0, 5)))) == 2
    assert seen.of(("one.r",), Subset(samples, (0,))) is None
    assert seen.of(("scores",), Subset(others, (0,))) is None
    assert seen.of(("scores",), Subset(samples, (6,))) is None
