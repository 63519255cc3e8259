"""What each tensor's quantization costs at the outputs, and how much is run to measure it."""

import numpy as np
import pytest

from edgeq.graphs import float_graph
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.layer_noise import Noise, onnx_noise, sample_count, tflite_noise
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, residual, saved, two_scales
from tests.quantize.tflite_networks import convolution

U8S8 = Scheme("uint8", "int8", True)
HELD_OUT = Rows(images(30, seed=9), sha256="h" * 64)


def quantized(net, folder, change=dict):
    """The float model and a QDQ file made from it with `change`d ranges."""
    saved(net, folder)
    model, out = float_graph.read(folder / "net.onnx"), folder / "int8.onnx"
    qdq.emit(model, out, U8S8, change(ranges_of(calibrate_onnx(model, Rows(images(20)), False), "minmax")))
    return model, out


def noise_of(model, path):
    return onnx_noise(model, path, HELD_OUT, threads=1, progress=no_progress)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, ": no measurable loss alone"),
        (1e-3, " alone leaves 30.0 dB at the output"),
        (1e75, " alone makes the output not finite where float is, or vice versa"),
    ],
)
def test_the_noise_of_a_layer_is_in_decibels_only_where_it_is_a_ratio(share, words):
    assert Noise("a", frozenset({"a"}), (share,), "rounding").in_words == f"rounding at a{words}"


def test_on_litert_the_loss_is_at_the_own_output_of_the_layer(tmp_path):
    pytest.importorskip("litert_quantizer")
    source, path = convolution(tmp_path / "net.tflite"), tmp_path / "int8.tflite"
    rows = Rows(np.random.default_rng(1).normal(size=(8, 16, 16, 16)).astype(np.float32))
    emit.emit(source, path, ranges_of(calibrate_tflite(source, rows, False), "minmax"))
    noise = tflite_noise(source, path, rows, threads=1, progress=no_progress)
    assert noise and all(n.in_words.endswith(" at its own output") for n in noise)


def test_the_number_of_samples_depends_on_the_model_not_on_time(tmp_path):
    keyword_spotting, detector, huge = (22, 2_656_768), (205, 121_491_744), (900, 10**11)
    assert [sample_count(800, *model) for model in (keyword_spotting, detector, huge)] == [8, 3, 1]
    assert sample_count(2, *keyword_spotting) == 2

    files = quantized(two_scales(), tmp_path)
    assert noise_of(*files) == noise_of(*files)


def test_noise_is_measured_at_the_outputs_one_tensor_at_a_time(tmp_path):
    noise = noise_of(*quantized(two_scales(), tmp_path))
    assert noise[0].layer in ("joined", "scores")
    assert noise[0].sqnr_db < 1 < 30 < {n.layer: n for n in noise}["a"].sqnr_db
    assert all(len(n.noise_to_signal) == 2 for n in noise)


def test_clipping_and_rounding_are_distinguished(tmp_path):
    files = quantized(residual(), tmp_path, lambda ranges: {**ranges, "one.r": (0.0, ranges["one.r"][1] / 5)})
    causes = {n.layer: n.cause for n in noise_of(*files)}
    assert causes["one.r"] == "clipping"
    assert causes["two.r"] == "rounding"
