"""The .tflite file of a trained network computes the integers of the trained network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from edgeq.conversion.trained_tflite import with_tflite  # noqa: E402
from edgeq.graphs.tflite import kind_of, read_model  # noqa: E402
from edgeq.quantize.backends.litert.emit import emit  # noqa: E402
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of  # noqa: E402
from edgeq.quantize.trained.numbers import layers_of  # noqa: E402
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: E402, F401
from tests.quantize.networks import saved  # noqa: E402
from tests.train.a_training import trained_file  # noqa: E402
from tests.train.litert_runs import Files, compared, made_of  # noqa: E402
from tests.train.residual_network import S8, images, network, quantized  # noqa: E402
from tests.train.test_quantized_network import EIGHT, FOUR, file_with, network_of, trained  # noqa: E402

SAMPLES = images(64)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, onnx2tf_cache) -> Files:  # noqa: F811
    file = trained(network_of(quantized(network(), S8), EIGHT)).model()
    return made_of(file, network(), SAMPLES, tmp_path_factory.mktemp("trained"), onnx2tf_cache)


def test_every_integer_is_that_of_the_trained_network(files: Files) -> None:
    found = compared(files, SAMPLES.images)
    assert len(found) >= 7
    for name, steps in found.items():
        assert steps.max() <= 1, name
        assert np.mean(steps == 0) >= 0.999, name


def test_the_file_holds_the_trained_integers_and_scales(files: Files) -> None:
    model = read_model(files.made.path)
    tensors = model.subgraphs[0].tensors
    by_bias = {layer.bias.tobytes(): layer for layer in layers_of(files.trained)}
    found = [o for o in model.subgraphs[0].operators if kind_of(model, o) in ("CONV_2D", "FULLY_CONNECTED")]
    assert len(found) == len(by_bias) == 4
    for operator in found:
        weight, bias = (tensors[i] for i in operator.inputs[1:3])
        whole = np.frombuffer(bytes(model.buffers[bias.buffer].data), np.int32)
        layer = by_bias[(whole * bias.quantization.scale.astype(np.float64)).tobytes()]
        stored = np.frombuffer(bytes(model.buffers[weight.buffer].data), np.int8).reshape(tuple(weight.shape))
        axes = (0, 3, 1, 2) if stored.ndim == 4 else (0, 1)
        np.testing.assert_array_equal(stored.transpose(axes), layer.integers)
        np.testing.assert_array_equal(weight.quantization.scale, layer.scale)


def test_nothing_was_calibrated_or_left_in_float(files: Files) -> None:
    fidelity = files.made.fidelity
    assert fidelity.remedies == () and fidelity.float_layers == ()
    assert all(audit.integer == audit.total for audit in fidelity.fusion)


def test_activations_of_few_bits_have_no_file_and_the_reason_says_so(tmp_path) -> None:
    onnx.save(file_with(FOUR), tmp_path / "trained.onnx")
    model = saved(network(), tmp_path)
    model = replace(model, files={**model.files, "tflite": "float.tflite"})
    found = with_tflite(trained_file(tmp_path / "trained.onnx"), model, tmp_path, lambda said: None)
    assert found.tflite == "" and "4 bits have no TFLite form" in found.why_no_tflite


def test_the_file_is_no_larger_than_what_the_quantizer_writes(files: Files, tmp_path) -> None:
    plain = tmp_path / "plain.tflite"
    source = Path(files.model.networks[0].tflite)
    seen = calibrate_tflite(source, SAMPLES, False)
    emit(source, plain, ranges_of(seen, "minmax"))
    assert files.made.path.stat().st_size < plain.stat().st_size + 1024
