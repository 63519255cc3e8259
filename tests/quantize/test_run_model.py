"""Running a model over samples on this host: shapes, order, outputs that vary or are large."""

import numpy as np
import pytest
from onnx import helper

from edgeq.errors import ConversionFailed
from edgeq.quantize import run_model
from tests.quantize.networks import Rows, images, model_of, residual, saved


def path_of(model, tmp_path):
    from pathlib import Path

    return Path(saved(model, tmp_path).files["onnx"])


def test_outputs_are_stacked_without_their_batch_of_one(tmp_path):
    runner = run_model.load(path_of(residual(), tmp_path), "onnx")
    samples = Rows(images(5))
    (scores,) = run_model.run(runner, samples, tmp_path)
    assert scores.shape == (5, 10)
    np.testing.assert_array_equal(scores[3:4], runner(samples[3])[0])


def test_large_outputs_go_to_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(run_model, "_IN_MEMORY", 100)
    (scores,) = run_model.run(
        run_model.load(path_of(residual(), tmp_path), "onnx"), Rows(images(5)), tmp_path / "s"
    )
    assert isinstance(scores, np.memmap)
    assert (tmp_path / "s" / "output0.npy").is_file()
    assert np.abs(scores).sum() > 0


def test_outputs_whose_shape_varies_are_kept_one_by_one(tmp_path):
    node = helper.make_node("NonZero", ["x"], ["found"], name="nonzero")
    cast = helper.make_node("Cast", ["found"], ["y"], name="cast", to=1)
    model = model_of([node, cast], [], [("x", (1, 4))], [("y", (2, None))])
    rows = Rows(np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]], np.float32))
    (found,) = run_model.run(run_model.load(path_of(model, tmp_path), "onnx"), rows, tmp_path)
    assert found.dtype == object
    assert [f.shape for f in found] == [(2, 1), (2, 2), (2, 3)]


def test_a_sample_that_does_not_fit_is_our_error(tmp_path):
    runner = run_model.load(path_of(residual(), tmp_path), "onnx")
    with pytest.raises(ConversionFailed, match="does not run on this host") as failed:
        run_model.run(runner, Rows(images(1, shape=(1, 16, 16))), tmp_path)
    assert "InvalidArgument" in failed.value.details[0]
