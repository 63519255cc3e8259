"""Files for x86 without VNNI: no input saturates a 16-bit sum of two products, for weights of any layout."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.numerics import INT8, UINT8, Granularity, QuantParams
from edgeq.quantize.passes.int16_saturation import clamp_pairs_of, saturating_pairs, scale_widening
from edgeq.quantize.run_model import load, run
from tests.quantize.networks import Rows, images, model_of, residual, saved
from tests.quantize.numerics.reference import Window, lower, pair_products

FITS = Scheme("uint8", "int8", True, pairs_fit=True)


def written(model, folder, scheme, rows):
    """The QDQ file of `model`, calibrated on these samples."""
    saved(model, folder)
    graph = read(folder / "net.onnx")
    ranges = ranges_of(calibrate_onnx(graph, rows, False), "minmax")
    qdq.emit(graph, folder / "int8.onnx", scheme, ranges)
    return folder / "int8.onnx"


def alike(*shape):
    """Large weights of one sign: every pair saturates."""
    return np.random.default_rng(0).uniform(0.7, 1.0, shape).astype(np.float32)


def one_layer(op, weight, given, out, **attributes):
    node = helper.make_node(op, ["x", "w"], ["y"], op, **attributes)
    return model_of([node], [numpy_helper.from_array(weight, "w")], [("x", given)], [("y", out)])


LAYERS = {
    "conv": (one_layer("Conv", alike(4, 6, 3, 3), [1, 6, 5, 5], [1, 4, 3, 3]), [6, 5, 5]),
    "odd channels": (one_layer("Conv", alike(4, 3, 3, 3), [1, 3, 5, 5], [1, 4, 3, 3]), [3, 5, 5]),
    "groups": (one_layer("Conv", alike(4, 3, 1, 1), [1, 6, 5, 5], [1, 4, 5, 5], group=2), [6, 5, 5]),
    "one axis": (one_layer("Conv", alike(4, 6, 3), [1, 6, 9], [1, 4, 7]), [6, 9]),
    "gemm": (one_layer("Gemm", alike(8, 5), [1, 8], [1, 5]), [8]),
    "transposed gemm": (one_layer("Gemm", alike(5, 7), [1, 7], [1, 5], transB=1), [7]),
    "matmul": (one_layer("MatMul", alike(8, 5), [1, 4, 8], [1, 4, 5]), [4, 8]),
    "matmul by a vector": (one_layer("MatMul", alike(8), [1, 4, 8], [1, 4]), [4, 8]),
    "matmul by a vector, odd": (one_layer("MatMul", alike(7), [1, 7], [1]), [7]),
}


def positive(shape, count=6):
    return Rows(np.random.default_rng(1).uniform(0, 1, (count, *shape)).astype(np.float32))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("per_channel", [True, False])
def test_no_kind_of_layer_saturates(name, per_channel, tmp_path):
    model, shape = LAYERS[name]
    plain = Scheme("uint8", "int8", per_channel)
    path = written(model, tmp_path, plain, positive(shape))
    assert any(saturating_pairs(path).values())
    path = written(model, tmp_path, Scheme("uint8", "int8", per_channel, pairs_fit=True), positive(shape))
    assert not any(saturating_pairs(path).values())
    seen = positive(shape)
    reference, outputs = (run(load(p, "onnx"), seen, tmp_path) for p in (tmp_path / "net.onnx", path))
    assert sqnr_db(reference[0], outputs[0]) > 35


def test_the_worst_input_does_not_saturate_the_reference_kernel(tmp_path):
    """255 for every positive weight of a channel and 0 elsewhere, then the other way round."""
    path = written(LAYERS["odd channels"][0], tmp_path, FITS, positive([3, 5, 5]))
    stored = {i.name: numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    w = stored["w_quantized"]
    x = QuantParams(np.float32(1), np.int32(0), UINT8)
    each = QuantParams(np.ones(4, np.float32), np.zeros(4, np.int32), INT8, Granularity(0))
    b = lower(np.zeros((1, 3, 3, 3), np.uint8), x, w, each, x, Window()).b[0]
    worst = np.concatenate([(b > 0).T, (b < 0).T]).astype(np.uint8) * 255
    assert not pair_products(worst, b, UINT8, INT8)[1].any()


def test_it_loses_less_than_seven_bits(tmp_path):
    rows, fresh = Rows(images(48)), Rows(images(64, seed=1))
    found = {}
    for scheme in (FITS, Scheme("uint8", "int8", True, reduce_range=True)):
        path = written(residual(), tmp_path, scheme, rows)
        reference, outputs = (run(load(p, "onnx"), fresh, tmp_path) for p in (tmp_path / "net.onnx", path))
        found[scheme.pairs_fit] = sqnr_db(reference[0], outputs[0])
    assert found[True] > found[False]


def test_pairs_that_fitting_made_too_large_are_clamped(tmp_path):
    path = written(LAYERS["conv"][0], tmp_path, FITS, positive([6, 5, 5]))
    model = onnx.load(path)
    stored = next(i for i in model.graph.initializer if i.name == "w_quantized")
    moved = numpy_helper.to_array(stored).copy()
    moved[0, 0, 0, 0] = 127
    stored.CopyFrom(numpy_helper.from_array(moved, stored.name))
    onnx.save(model, path)
    assert sum(saturating_pairs(path).values()) == clamp_pairs_of(path) == 1
    assert not any(saturating_pairs(path).values())
    after = numpy_helper.to_array(
        next(i for i in onnx.load(path).graph.initializer if i.name == "w_quantized")
    )
    assert np.count_nonzero(after != moved) == 2


def test_depthwise_convolutions_and_signed_activations_need_no_wider_scale(tmp_path):
    depthwise = one_layer("Conv", alike(6, 1, 3, 3), [1, 6, 5, 5], [1, 6, 3, 3], group=6)
    path = written(depthwise, tmp_path, FITS, positive([6, 5, 5]))
    assert scale_widening(onnx.load(str(path))) == {}
    path = written(LAYERS["conv"][0], tmp_path, Scheme("int8", "int8", True), positive([6, 5, 5]))
    assert scale_widening(onnx.load(str(path))) == {}
