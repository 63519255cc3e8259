"""A patched file is the one that the quantizer writes for the new ranges."""

import numpy as np
import onnx
import pytest

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.passes.ranges.trial import PatchableQdq
from edgeq.quantize.run_model import load
from tests.quantize.networks import Rows, images, residual


def emitted(model, path, scheme, ranges):
    qdq.emit(model, path, scheme, ranges)
    return onnx.load(str(path))


@pytest.mark.parametrize("activations", ["uint8", "int8"])
def test_it_is_what_the_quantizer_writes(tmp_path, activations):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    model, scheme = read(tmp_path / "net.onnx"), Scheme(activations, "int8", True)
    seen = calibrate_onnx(model, Rows(images(20)), True)
    wide, narrow = (ranges_of(seen, way) for way in ("minmax", "mse"))
    patchable = PatchableQdq(emitted(model, tmp_path / "wide.onnx", scheme, wide), wide)
    assert set(patchable.tensors) > {"x", "one.out", "scores"}

    ours, theirs = patchable.with_ranges(narrow), emitted(model, tmp_path / "narrow.onnx", scheme, narrow)
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in theirs.graph.initializer}
    for tensor in ours.graph.initializer:
        array, expected = onnx.numpy_helper.to_array(tensor), stored[tensor.name]
        assert array.dtype == expected.dtype
        if array.dtype == np.int32:  # a bias, by one step
            assert np.abs(array - expected).max() <= 1
        else:
            np.testing.assert_allclose(array, expected, rtol=1e-5)

    onnx.save(ours, str(tmp_path / "ours.onnx"))
    outputs = [
        load(tmp_path / f"{name}.onnx", "onnx")((images(1, seed=5),))[0] for name in ("ours", "narrow")
    ]
    step = float(stored["scores_scale"])
    assert np.abs(outputs[0] - outputs[1]).max() <= 2 * step


def test_the_same_ranges_change_nothing(tmp_path):
    onnx.save(residual(), str(tmp_path / "net.onnx"))
    model = read(tmp_path / "net.onnx")
    ranges = ranges_of(calibrate_onnx(model, Rows(images(5)), False), "minmax")
    file = emitted(model, tmp_path / "q.onnx", Scheme("uint8", "int8", True), ranges)
    assert PatchableQdq(file, ranges).with_ranges(ranges) == file
