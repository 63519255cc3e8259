"""A patched file is the one that the quantizer writes for the new ranges."""

import numpy as np
import onnx
import pytest

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.evaluator import SCRATCH
from edgeq.quantize.passes.ranges.trial import OnnxTrial, PatchableQdq
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import split_of
from tests.quantize.networks import Rows, images, model_of, residual


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


def test_the_weights_of_a_large_network_are_written_once_beside_the_files_that_are_tried(tmp_path):
    weights = np.random.default_rng(0).normal(0, 0.1, (2, 3000, 3000)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w0"], ["h"], name="first"),
        onnx.helper.make_node("MatMul", ["h", "w1"], ["y"], name="second"),
    ]
    stored = [onnx.numpy_helper.from_array(w, f"w{k}") for k, w in enumerate(weights)]
    onnx.save(model_of(nodes, stored, [("x", (1, 3000))], [("y", (1, 3000))]), str(tmp_path / "net.onnx"))
    model, out = read(tmp_path / "net.onnx"), tmp_path / "tried" / "model.onnx"
    rows = Rows(np.random.default_rng(1).normal(size=(4, 3000)).astype(np.float32))
    seen = calibrate_onnx(model, rows, True)
    trial = OnnxTrial(model, lambda ranges: emitted(model, out, Scheme("uint8", "int8", True), ranges), out)
    out.parent.mkdir(exist_ok=True)
    evaluator = trial.evaluator(split_of(rows).choose, threads=1)
    noise = {}
    for way in ("minmax", "mse", "minmax"):
        trial.write(ranges_of(seen, way))
        assert out.stat().st_size < 100_000
        noise.setdefault(way, []).append(evaluator.sqnr_db(out))
    assert noise["minmax"][0] == noise["minmax"][1] != noise["mse"][0]
    assert noise["minmax"][0] > 25
    assert sorted(f.name for f in (out.parent / SCRATCH).glob("*.weights")) == [
        "float.weights",
        "model.weights",
    ]


def test_other_ranges_of_a_softmax_need_no_new_file(tmp_path):
    """Its output gets the range 0 to 1 from the quantizer, so no other is patched."""
    scores = onnx.helper.make_node("Softmax", ["scores"], ["shares"], "softmax", axis=-1)
    net = residual()
    net.graph.node.append(scores)
    net.graph.output[0].name = "shares"
    onnx.save(net, str(tmp_path / "net.onnx"))
    model, scheme = read(tmp_path / "net.onnx"), Scheme("uint8", "int8", True)
    ranges = ranges_of(calibrate_onnx(model, Rows(images(5)), False), "minmax")
    other = {**ranges, "shares": (0.0, 0.5)}
    patchable = PatchableQdq(emitted(model, tmp_path / "q.onnx", scheme, ranges), ranges)
    assert patchable.can_take(other)
    assert patchable.with_ranges(other) == emitted(model, tmp_path / "other.onnx", scheme, other)
