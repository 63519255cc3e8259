"""Static int8 for onnxruntime: every convolution integer, the same bytes each time, close to float."""

import numpy as np
import onnx
import pytest

from edgeq.graphs import float_graph
from edgeq.graphs.onnx_io import opset_of
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.calibration.calibrators import AUTO
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows, images, residual, saved

U8S8 = Scheme("uint8", "int8", True)
DEFAULT = Gate()
S8S8 = Scheme("int8", "int8", True)
HELD_OUT = Rows(images(60, seed=9), sha256="h" * 64)


@pytest.fixture
def net(tmp_path):
    return saved(residual(), tmp_path)


def candidate(scheme, recipe="int8_static"):
    return CandidatePlan(f"onnxruntime-{recipe}", "onnxruntime", recipe, "onnx", "a test", scheme=scheme)


def made(net, tmp_path, scheme=U8S8, gate=DEFAULT, recipe="int8_static", **options):
    return make(
        candidate(scheme, recipe),
        net,
        Rows(images(40)),
        HELD_OUT,
        same_samples=False,
        gate=gate,
        workdir=tmp_path / "work",
        **options,
    )


def audits(found):
    return {a.operator: (a.integer, a.total) for a in found.fidelity.fusion}


@pytest.mark.arithmetic
def test_u8s8_makes_every_convolution_integer_across_shortcuts(net, tmp_path):
    found = made(net, tmp_path)
    assert audits(found) == {"Conv": (5, 5), "Gemm": (1, 1)}
    assert "read back" in found.fidelity.fusion[0].method
    assert found.fidelity.passed
    assert found.fidelity.outputs[0].sqnr_db > 20
    assert found.fidelity.agreement.top1 > 85  # of 60: one flips with any rounding
    assert found.path.stat().st_size < 0.5 * net.float_bytes
    assert (found.inputs, found.outputs) == (("x",), ("scores",))


def test_s8s8_is_audited_by_its_structure_and_fuses_too(net, tmp_path):
    found = made(net, tmp_path, S8S8)
    assert audits(found) == {"Conv": (5, 5), "Gemm": (1, 1)}
    assert found.fidelity.outputs[0].sqnr_db > 20


def test_the_same_input_gives_the_same_bytes(net, tmp_path):
    assert made(net, tmp_path / "1").path.read_bytes() == made(net, tmp_path / "2").path.read_bytes()


@pytest.mark.parametrize(("reduce", "largest"), [(False, 127), (True, 64)])
def test_weights_are_symmetric_per_channel_and_stay_within_their_bits(net, tmp_path, reduce, largest):
    found = made(net, tmp_path, Scheme("uint8", "int8", True, reduce_range=reduce))
    stored = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(found.path).graph.initializer}
    weights = [v for k, v in stored.items() if k.endswith(".w_quantized")]
    assert len(weights) >= 5  # the small head may stay in float
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) == largest
    assert stored["stem.w_scale"].shape == (16,)
    assert not stored["stem.w_zero_point"].any()


@pytest.mark.parametrize("calibrator", ["minmax", "percentile", "mse", "entropy"])
def test_each_calibrator_can_be_asked_for_and_is_named(net, tmp_path, calibrator):
    found = made(net, tmp_path, options=Options(calibrator=calibrator))
    assert found.fidelity.calibrator == calibrator
    assert found.fidelity.outputs[0].sqnr_db > 12


def test_auto_takes_one_of_its_own(net, tmp_path):
    assert made(net, tmp_path).fidelity.calibrator in AUTO


def test_older_runtimes_can_read_the_file(net, tmp_path):
    found = made(net, tmp_path)
    assert onnx.load(found.path).ir_version <= 8
    assert found.min_runtime == "1.14"


def test_a_model_below_opset_13_is_quantized_as_it_is_with_a_scale_per_tensor(tmp_path):
    """Raising its opset is for ingest, which proves every change."""
    found = made(saved(residual(opset=11), tmp_path, "old"), tmp_path, Scheme("uint8", "int8", False))
    assert opset_of(onnx.load(found.path)) == 11
    assert audits(found)["Conv"] == (5, 5)
    assert found.fidelity.outputs[0].sqnr_db > 15


def test_a_scheme_that_is_wrong_for_x86_shows_in_the_audit_of_its_graph(net):
    """Why the plan chooses: S8S8 leaves convolutions in float on x86 wherever a tensor has two readers."""
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("the fusion rule under test is that of onnxruntime on x86")
    model = float_graph.read(_path(net))
    ranges = ranges_of(calibrate_onnx(model, Rows(images(10)), False), "minmax")
    out = _path(net).with_name("signed.onnx")
    qdq.emit(model, out, S8S8, ranges)
    audit = {a.operator: a.integer for a in onnx_fusion(out, None)}
    assert audit["Conv"] < 5


def _path(net):
    from pathlib import Path

    return Path(net.files["onnx"])


def test_progress_is_told_and_names_the_stages(net, tmp_path):
    told = []
    made(net, tmp_path, progress=lambda stage, share: told.append((stage, share)))
    assert {"calibrate", "compare with float"} <= {stage for stage, _ in told}
    assert all(0 <= share <= 1 for _, share in told)


def test_float_is_judged_against_itself(net, tmp_path):
    found = made(net, tmp_path, None, recipe="float")
    assert found.fidelity.passed
    assert found.fidelity.outputs[0].sqnr_db is None
    assert found.path.read_bytes() == _path(net).read_bytes()


def test_a_detectors_labels_reach_the_metric(net, tmp_path):
    file = tmp_path / "metric.py"
    file.write_text(
        "def found(outputs, labels):\n    assert labels.shape[1:] == (4, 5)\n    return 1 - abs(labels[:, 0, 0] - outputs[0][:, 0]).mean()\n"
    )
    boxes = np.zeros((60, 4, 5), np.float32)
    judged = make(
        candidate(U8S8),
        net,
        Rows(images(40)),
        Rows(images(60, seed=9), sha256="h" * 64, boxes=boxes),
        same_samples=False,
        gate=Gate(metric=f"{file}:found", max_drop=1000),
        workdir=tmp_path / "work",
    )
    assert judged.fidelity.accuracy.metric == "found"
