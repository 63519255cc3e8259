"""One run of the quantizer serves all ranges of activations; where it cannot, the quantizer runs again."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.backends.ort.qdq import QdqEmission
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from tests.quantize.networks import Rows, images, residual, saved

SCHEME = Scheme("uint8", "int8", True)


@pytest.fixture
def runs(monkeypatch):
    """The layers left in float, of each run of the quantizer."""
    found, emitted = [], qdq.emitted

    def counted(model, scheme, ranges, in_float, **options):
        found.append(set(in_float))
        return emitted(model, scheme, ranges, in_float, **options)

    monkeypatch.setattr(qdq, "emitted", counted)
    return found


@pytest.fixture
def model(tmp_path):
    saved(residual(), tmp_path)
    return read(tmp_path / "net.onnx")


def test_other_ranges_of_the_same_layers_take_no_second_run(tmp_path, model, runs):
    seen = calibrate_onnx(model, Rows(images(20)), True)
    wide, narrow = (ranges_of(seen, way) for way in ("minmax", "mse"))
    once = QdqEmission(model, tmp_path / "net.q.onnx", SCHEME, move_ops_in_int8=True)
    contents = []
    for ranges, in_float in ((wide, ()), (narrow, ()), (narrow, ("scores_Gemm",)), (wide, ())):
        once.write(ranges, frozenset(in_float))
        contents.append((tmp_path / "net.q.onnx").read_bytes())
    assert runs == [set(), {"scores_Gemm"}]
    assert contents[0] == contents[3] != contents[1] != contents[2]


def test_a_range_that_is_no_tensors_alone_takes_one(tmp_path, model, runs):
    """What the file has a scale for, and not the one of its range, may follow from the ranges in ways unknown here."""
    ranges = ranges_of(calibrate_onnx(model, Rows(images(20)), False), "minmax")
    path = tmp_path / "net.q.onnx"
    once = QdqEmission(model, path, SCHEME, move_ops_in_int8=True)
    once.write({**ranges, "head.w": (-1.0, 1.0)}, frozenset())
    stored = {i.name for i in onnx.load(str(path)).graph.initializer}
    assert "head.w_scale" in stored
    once.write({**ranges, "head.w": (-2.0, 2.0)}, frozenset())
    assert len(runs) == 2


def test_a_range_in_whose_steps_a_bias_exceeds_32_bits_takes_one(tmp_path, runs):
    """The quantizer gave the weights of one channel just the scale that its bias needs at the wider range."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 16)).astype("f")
    weight[3] *= 1e-9
    bias = rng.standard_normal(8).astype("f") * 2
    node = onnx.helper.make_node("Gemm", ["x", "w", "b"], ["y"], "layer", transB=1)
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, n]) for name, n in (("x", 16), ("y", 8))]
    stored = [onnx.numpy_helper.from_array(v, n) for n, v in (("w", weight), ("b", bias))]
    net = onnx.helper.make_model(
        onnx.helper.make_graph([node], "net", ends[:1], ends[1:], stored),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(net, tmp_path / "net.onnx")
    path = tmp_path / "net.q.onnx"
    once = QdqEmission(read(tmp_path / "net.onnx"), path, SCHEME, move_ops_in_int8=True)
    for low, count in ((-4.0, 1), (-1.0, 2)):
        once.write({"x": (low, -low), "y": (-20.0, 20.0)}, frozenset())
        assert len(runs) == count
        y = ort.InferenceSession(str(path)).run(None, {"x": np.zeros((1, 16), "f")})[0][0]
        assert np.abs(y - bias).max() < 0.2
