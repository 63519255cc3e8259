"""The error of each statically quantized layer and its parts: those of the error that the graphs have."""

import numpy as np
import onnx
import pytest

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.layer_errors import onnx_layer_errors
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.partial_run import OnnxRun
from edgeq.quantize.run_model import no_progress
from edgeq.quantize.samples import evenly_spaced
from tests.quantize.networks import Rows, images, residual, saved

U8S8 = Scheme("uint8", "int8", True)
SAMPLES = Rows(images(6, seed=3))


@pytest.fixture
def net(tmp_path):
    saved(residual(), tmp_path)
    return read(tmp_path / "net.onnx")


def errors_with(net, folder, change):
    ranges = ranges_of(calibrate_onnx(net, Rows(images(24)), False), "minmax")
    qdq.emit(net, folder / "int8.onnx", U8S8, change(ranges))
    return onnx_layer_errors(net, folder / "int8.onnx", SAMPLES, threads=1, progress=no_progress)


def test_the_error_is_the_one_that_the_graphs_have(net, tmp_path):
    found = errors_with(net, tmp_path, lambda ranges: ranges)
    assert set(found) == {"stem", "one.a", "one.b", "two.a", "two.b", "scores_Gemm"}
    runs = [OnnxRun(m, evenly_spaced(SAMPLES, 6), 1) for m in (net, onnx.load(tmp_path / "int8.onnx"))]
    real, quantized = (np.concatenate(run.to("one.b")) for run in runs)
    share = np.sqrt(np.sum((quantized - real) ** 2) / np.sum(real**2))
    assert found["one.b"].error == pytest.approx(share, rel=0.05)  # of every so many positions
    assert found["stem"].own == pytest.approx(found["stem"].error)  # nothing comes before it
    assert 0 < found["two.b"].own < found["two.b"].error


def test_a_range_that_is_too_narrow_shows_as_clipping(net, tmp_path):
    cut = errors_with(net, tmp_path, lambda ranges: {**ranges, "one.out": (0.0, ranges["one.out"][1] / 4)})
    assert cut["two.a"].clipping > 3 * cut["two.a"].weights
    assert cut["two.a"].clipping > 10 * cut["one.a"].clipping
    assert cut["two.a"].bias_shift > 0.1 * cut["two.a"].error  # what is cut is always on one side


def test_a_range_that_is_too_wide_shows_as_rounding(net, tmp_path):
    wide = errors_with(net, tmp_path, lambda ranges: {**ranges, "one.out": (0.0, ranges["one.out"][1] * 16)})
    assert wide["two.a"].rounding > 5 * max(wide["two.a"].weights, wide["two.a"].clipping)
    assert wide["two.a"].high > 15 * wide["one.a"].high / 4
