"""A layer that the outputs hear a hundredth of may have fewer bits than one that they hear as it is."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.graphs.products import onnx_products
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.passes.fit import fit_onnx
from edgeq.quantize.passes.fit.heard_noise import noise_heard, probes
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, model_of, saved

SAMPLES = Rows(images(48))


def loud_and_faint():
    """Two convolutions of the same weights; of one the output counts a hundredth."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(20, 8, 3, 3)).astype("f")
    constants = {
        "first": rng.normal(size=(8, 3, 3, 3)).astype("f"),
        "loud": weight,
        "faint": weight.copy(),
        "hundredth": np.float32(0.01),
    }
    pads = [1, 1, 1, 1]
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], name="first", pads=pads),
        helper.make_node("Conv", ["a", "loud"], ["b"], name="loud", pads=pads),
        helper.make_node("Conv", ["a", "faint"], ["c"], name="faint", pads=pads),
        helper.make_node("Mul", ["c", "hundredth"], ["d"], name="times"),
        helper.make_node("Add", ["b", "d"], ["y"], name="sum"),
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return model_of(nodes, tensors, [("x", (1, 3, 16, 16))], [("y", (1, 20, 16, 16))])


@pytest.fixture
def files(tmp_path: Path):
    """(float graph, QDQ file)."""
    saved(loud_and_faint(), tmp_path)
    model, path = read(tmp_path / "net.onnx"), tmp_path / "int8.onnx"
    ranges = ranges_of(calibrate_onnx(model, SAMPLES, False), "minmax")
    qdq.emit(model, path, Scheme("uint8", "int8", True), ranges)
    return model, path


def test_what_counts_a_hundredth_is_heard_a_ten_thousandth(files, tmp_path: Path) -> None:
    model, path = files
    few, cache = probes(SAMPLES, [*onnx_products(model)]), ArrayCache(tmp_path / "cache")
    heard = noise_heard(
        QdqFile.read(path, model), lambda: graph_evaluator(model, few, 1), tmp_path, cache, {}, no_progress
    )
    assert heard["faint"] / heard["loud"] == pytest.approx(1e-4, rel=1e-2)
    assert 1e-4 < heard["loud"] < 1e-1

    def fails():
        raise AssertionError

    assert noise_heard(QdqFile.read(path, model), fails, tmp_path, cache, {}, no_progress) == heard
    with pytest.raises(AssertionError):
        noise_heard(QdqFile.read(path, model), fails, tmp_path, NO_CACHE, {}, no_progress)


def test_bits_go_where_they_are_heard(files) -> None:
    model, path = files
    found = fit_onnx(model, path, path, SAMPLES, 1, no_progress, bits=5).weights
    levels = {name: max(len(np.unique(row)) for row in weights.integers) for name, weights in found.items()}
    assert levels["loud"] > 4 * levels["faint"], "the same number of weights, and of levels before"
