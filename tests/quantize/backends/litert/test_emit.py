"""Static int8 for LiteRT on MLPerf Tiny's ResNet-8, from ranges of our own."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeq.graphs.tflite import read_tflite
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.layer_noise import tflite_noise
from edgeq.quantize.make import make
from edgeq.quantize.run_model import load, no_progress
from tests.quantize.networks import Rows

pytestmark = pytest.mark.data
pytest.importorskip("litert_quantizer")

S8S8 = Scheme("int8", "int8", True)


def photos(data_dir: Path, name: str) -> np.ndarray:
    with Image.open(data_dir / "cifar10" / "images" / f"{name}.png") as image:
        return np.asarray(image, np.float32).reshape(-1, 32, 32, 3)


@pytest.fixture(scope="module")
def data(request):
    return request.getfixturevalue("data_dir")


@pytest.fixture(scope="module")
def resnet8(data):
    path = data / "mlperf_tiny" / "ic_pretrainedResnet.tflite"
    return Model(
        name="resnet8",
        source=str(path),
        source_format="tflite",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        inputs=(TensorSpec("input_1", "float32", (1, 32, 32, 3)),),
        outputs=(TensorSpec("Identity", "float32", (1, 10)),),
        float_bytes=path.stat().st_size,
        files={"tflite": str(path)},
    )


@pytest.fixture(scope="module")
def samples(data):
    labels = np.load(data / "cifar10" / "images" / "labels_test_0.npy")
    held_out = Rows(photos(data, "test_0"), labels, "t" * 64)
    return Rows(photos(data, "train_batch_0")[:100]), held_out


@pytest.fixture(scope="module")
def made(resnet8, samples, tmp_path_factory):
    plan = CandidatePlan("litert-int8_static", "litert", "int8_static", "tflite", "a test", scheme=S8S8)
    work = tmp_path_factory.mktemp("tflite")
    return make(plan, resnet8, *samples, same_samples=False, gate=Gate(), workdir=work)


def test_every_convolution_computes_on_integers_the_small_head_in_float(made):
    audit = {a.operator: (a.integer, a.total) for a in made.fidelity.fusion}
    assert audit == {"CONV_2D": (9, 9), "FULLY_CONNECTED": (0, 1)}
    assert len(made.fidelity.float_layers) >= 2  # what pools for it, too
    assert all("% of MACs; output SQNR" in layer.reason for layer in made.fidelity.float_layers)


def test_an_application_feeds_it_as_it_feeds_float(made):
    graph = read_tflite(made.path)
    assert {graph.tensors[i].type for i in (*graph.inputs, *graph.outputs)} == {"FLOAT32"}
    assert made.input_types == ("float32",)


def test_it_stays_close_to_float_and_in_accuracy(made):
    assert made.fidelity.passed
    assert made.fidelity.accuracy.float_score > 85
    assert made.fidelity.outputs[0].sqnr_db > 28
    # 1,000 images tell no half point: the whole interval below zero would be a loss.
    assert made.fidelity.accuracy.difference >= -1.0 and made.fidelity.accuracy.high > 0
    assert made.path.stat().st_size < 0.4 * 318_000


def test_an_operator_can_be_left_in_float_by_its_tensor(resnet8, samples, tmp_path):
    source, whole, part = Path(resnet8.files["tflite"]), tmp_path / "whole.tflite", tmp_path / "part.tflite"
    ranges = ranges_of(calibrate_tflite(source, samples[0], False), "minmax")
    emit.emit(source, whole, ranges)
    noise = tflite_noise(source, whole, samples[1], threads=1, progress=no_progress)
    heavy = next(n for n in noise if "Conv2D" in n.layer)
    emit.emit(source, part, ranges, heavy.in_float)
    graph = read_tflite(part)
    left = [graph.tensors[o.outputs[0]].name for o in graph.operators if o.kind == "CONV_2D"]
    floats = [n for n in left if next(t for t in graph.tensors if t.name == n).type == "FLOAT32"]
    assert floats == [heavy.layer]


def test_the_same_ranges_give_the_same_bytes(resnet8, samples, tmp_path):
    source = Path(resnet8.files["tflite"])
    ranges = ranges_of(calibrate_tflite(source, samples[0], False), "minmax")
    for name in ("1", "2"):
        emit.emit(source, tmp_path / name, ranges)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_a_quantized_source_runs_on_real_numbers(data, samples):
    """Upstream's own int8 file takes and gives integers: the runner converts both ways."""
    runner = load(data / "mlperf_tiny" / "ic_pretrainedResnet_quant.tflite", "tflite")
    right = [int(runner(samples[1][i])[0].argmax()) == samples[1].labels[i] for i in range(200)]
    assert np.mean(right) > 0.8
