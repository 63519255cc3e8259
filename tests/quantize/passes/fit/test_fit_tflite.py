"""Fitting the layers of a .tflite: real networks, real LiteRT."""

import numpy as np
import pytest
from PIL import Image

from edgeq.graphs.tflite import read_model
from edgeq.quantize.calibration.calibrate import calibrate_tflite, ranges_of
from edgeq.quantize.evaluate.evaluator import tflite_evaluator
from edgeq.quantize.evaluate.partial_run import TfliteRun
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.passes.fit import fit_tflite
from edgeq.quantize.passes.fit.fit_layers import WeightLevels, fit_layers, save_with_weights, whole_layers
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.run_model import load
from edgeq.quantize.samples import Subset
from tests.quantize.networks import Rows

pytestmark = pytest.mark.data
pytest.importorskip("litert_quantizer")


@pytest.fixture(scope="module")
def resnet8(data_dir):
    return data_dir / "mlperf_tiny" / "ic_pretrainedResnet.tflite"


@pytest.fixture(scope="module")
def photos(data_dir):
    with Image.open(data_dir / "cifar10" / "images" / "train_batch_0.png") as image:
        pixels = np.asarray(image, np.float32).reshape(-1, 32, 32, 3)
    return Rows(pixels[:64]), Rows(pixels[500:600])


@pytest.fixture
def quantized(resnet8, photos, tmp_path):
    from edgeq.quantize.backends.litert import emit

    path = tmp_path / "int8.tflite"
    emit.emit(resnet8, path, ranges_of(calibrate_tflite(resnet8, photos[0], False), "minmax"))
    return path


def logits(path, samples):
    """Before the softmax: 8-bit probabilities say little."""
    run = TfliteRun(read_model(path), samples, 1)
    graph = read_model(path).subgraphs[0]
    named = {t.name.decode(): i for i, t in enumerate(graph.tensors)}
    return np.concatenate(run.to(next(i for n, i in named.items() if n.endswith("model/dense/BiasAdd"))))


def test_closer_on_held_out_photos(resnet8, photos, quantized):
    wanted = logits(resnet8, photos[1])
    before, size = sqnr_db(wanted, logits(quantized, photos[1])), quantized.stat().st_size
    found = fit_layers(TfliteFile(resnet8, quantized), Subset(photos[0], tuple(range(64))))
    assert len(found) == 10  # nine convolutions and the classifier
    save_with_weights(TfliteFile(resnet8, quantized), found, quantized)
    assert sqnr_db(wanted, logits(quantized, photos[1])) > before + 0.5
    assert abs(quantized.stat().st_size - size) < 4096
    assert load(quantized, "tflite")(photos[1][0])[0].shape == (1, 10)


def test_on_few_levels_scales_and_biases_change_with_the_weights(resnet8, photos, quantized):
    wanted, samples = logits(resnet8, photos[1]), Subset(photos[0], tuple(range(64)))
    found = fit_layers(TfliteFile(resnet8, quantized), samples, bits=4, short_code=True)
    save_with_weights(TfliteFile(resnet8, quantized), found, quantized)
    few = [name for name, weights in found.items() if len(np.unique(weights.integers)) <= 64]
    assert len(few) >= 5 and max(weights.scale.max() for weights in found.values()) > 0.01
    assert sqnr_db(wanted, logits(quantized, photos[1])) > 10


def test_inner_layers_have_levels_of_another_kind(resnet8, photos, quantized):
    wanted, samples = logits(resnet8, photos[1]), Subset(photos[0], tuple(range(64)))
    file = TfliteFile(resnet8, quantized)
    found = fit_layers(file, samples, bits=3, levels=WeightLevels("codebook"))
    save_with_weights(TfliteFile(resnet8, quantized), found, quantized)
    layers, whole = [layer.name for layer in file.layers()], whole_layers(file, "codebook")
    assert {layers[0], layers[-1]} <= whole.keys() and len(
        whole
    ) < 5  # and the first shortcut, of 16 channels
    few = [found[name].integers for name in layers if name not in whole]
    assert all(len(np.unique(row)) <= 8 for weights in few for row in weights)
    assert all(len(np.unique(found[name].integers)) > 64 for name in whole)
    assert sqnr_db(wanted, logits(quantized, photos[1])) > 10


def test_a_layer_is_what_litert_computes(resnet8, quantized, photos):
    """Columns times weights, in float: the tensor that the interpreter gives for that layer, before its activation."""
    file = TfliteFile(resnet8, quantized)
    layer = next(item for item in file.layers() if item.kind == "FULLY_CONNECTED")
    (x,) = file.runs(Subset(photos[1], (0,)), 1)[0].to(layer.float_input)
    linear = layer.linear(layer.columns_input(x).shape)
    y = linear.matrix(layer.weight)[0] @ linear.columns(layer.columns_input(x))[0] + layer.bias[:, None]
    np.testing.assert_allclose(y[:, 0], logits(resnet8, photos[1])[0], rtol=1e-4, atol=1e-4)


def test_kept_only_where_outputs_come_closer(resnet8, quantized, photos):
    kept = fit_tflite(resnet8, quantized, photos[0], 1, lambda stage, share: None)
    assert kept.weights and kept.gain_db > 0
    few = Rows(photos[0].rows[:4])
    assert fit_tflite(resnet8, quantized, few, 1, lambda stage, share: None).weights == {}


def test_another_float_weight_is_measured_and_the_model_stays(resnet8, quantized, photos, tmp_path):
    file = TfliteFile(resnet8, quantized)
    few = Subset(photos[0], (0, 1))
    evaluator, layers = tflite_evaluator(resnet8, few, 1), file.layers()
    for layer in (layers[0], layers[-1]):
        changed = file.float_with(layer, layer.weight * 1.01, tmp_path)
        assert 1e-6 < evaluator.noise(changed).sum() < 1e-2
    assert evaluator.noise(file.float_with(layers[0], layers[0].weight, tmp_path)).sum() == 0
