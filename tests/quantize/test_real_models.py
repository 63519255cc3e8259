"""Static int8 on real models: no accuracy lost beyond what the samples can tell, every convolution on integers."""

import numpy as np
import pytest
from PIL import Image

from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from tests.quantize.networks import STATIC, Rows

pytestmark = pytest.mark.data


def keywords(data):
    """MLPerf Tiny's keyword spotting: 1,000 official inputs, the first 100 calibrate."""
    with np.load(data / "mlperf_tiny" / "kws01.npz") as file:
        x, y = file["x"].astype(np.float32), file["y"]
    rows = ((x - 83) * np.float32(0.5847029089927673)).transpose(0, 3, 1, 2).copy()
    path = data / "mlperf_tiny" / "derived_kws_ref_model_dequantised_float.onnx"
    return path, Rows(rows[:100]), Rows(rows[100:], y[100:], "k" * 64)


def photos(data):
    """MLPerf Tiny's image classification ResNet-8, opset 11, on CIFAR-10."""

    def rows(name):
        with Image.open(data / "cifar10" / "images" / f"{name}.png") as image:
            pixels = np.asarray(image, np.float32).reshape(-1, 32, 32, 3)
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))

    labels = np.load(data / "cifar10" / "images" / "labels_test_0.npy")
    path = data / "mlperf_tiny" / "results1.2_pretrainedResnet.onnx"
    return path, Rows(rows("train_batch_0")[:200]), Rows(rows("test_0"), labels, "p" * 64)


# A head in float gains the keywords 0.4 dB, close to the limit of 0.3: float kernels of different CPUs fall on either side of it.
@pytest.mark.parametrize(
    ("case", "least_db", "float_heads"),
    [(keywords, 29, {0, 1}), (photos, 26, {1})],
    ids=["keywords", "photos"],
)
def test_accuracy_stays_and_all_convolutions_are_integer(case, least_db, float_heads, data_dir, tmp_path):
    path, calibration, held_out = case(data_dir)
    model = open_model(Request(str(path), workdir=tmp_path))
    found = make(
        STATIC,
        model,
        calibration,
        held_out,
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "w",
    )
    fidelity = found.fidelity
    assert fidelity.passed, fidelity.why_failed
    assert fidelity.accuracy.difference >= -0.5 and fidelity.accuracy.high > 0
    assert fidelity.outputs[0].sqnr_db > least_db
    in_float = {a.operator: a.total - a.integer for a in fidelity.fusion}
    assert in_float["Conv"] == 0 and in_float["Gemm"] in float_heads
    assert found.path.stat().st_size < 0.5 * model.float_bytes
