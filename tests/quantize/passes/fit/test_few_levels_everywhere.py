"""Few bits on average: also where a layer's steps cannot be chosen by its outputs, its rows being too long, say."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.graphs.layer_bits import layer_bits
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.sqnr import sqnr_db
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.fit.fit_layers import (
    AS_UNIFORM,
    WeightLevels,
    fit_layers,
    save_with_weights,
    whole_layers,
)
from edgeq.quantize.passes.fit.nearest_levels import nearest_scale, rounded_to_nearest
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.samples import Subset
from tests.quantize.networks import STATIC, Rows, images, model_of, saved

PER_CHANNEL, PER_TENSOR = Scheme("uint8", "int8", True), Scheme("uint8", "int8", False)
INPUTS = 20 * 16 * 16  # of the classifier, more than are fitted whole


def long_rows(alpha=1.0):
    """A first convolution, a second one, and a classifier that holds nearly all weights: 51,200 of 55,340."""
    rng = np.random.default_rng(5)
    shapes = {"first": (20, 3, 3, 3), "second": (20, 20, 3, 3), "head": (10, INPUTS)}
    weights = {
        name: (rng.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5).astype("f")
        for name, shape in shapes.items()
    }
    weights |= {f"{name}.b": rng.normal(scale=0.1, size=len(weights[name])).astype("f") for name in shapes}
    nodes = [
        helper.make_node("Conv", ["x", "first", "first.b"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["ra"], name="ra"),
        helper.make_node("Conv", ["ra", "second", "second.b"], ["b"], name="second", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["b"], ["rb"], name="rb"),
        helper.make_node("Flatten", ["rb"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "head", "head.b"], ["scores"], name="head", transB=1, alpha=alpha),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    return model_of(nodes, tensors, [("x", (1, 3, 16, 16))], [("scores", (1, 10))])


def fitted(folder, bits, scheme=PER_CHANNEL, alpha=1.0, levels=AS_UNIFORM):
    """(float graph, the file with few levels, what was found)."""
    saved(long_rows(alpha), folder)
    model, path, samples = read(folder / "net.onnx"), folder / "int8.onnx", Rows(images(48))
    qdq.emit(model, path, scheme, ranges_of(calibrate_onnx(model, samples, False), "minmax"))
    file = QdqFile.read(path, model)
    found = fit_layers(file, Subset(samples, tuple(range(48))), bits=bits, short_code=True, levels=levels)
    save_with_weights(QdqFile.read(path, model), found, path)
    return model, path, found


def closeness(model, path):
    import onnxruntime as ort

    def outputs(content):
        session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, {"x": x[None]})[0] for x in images(32, seed=1)])

    return sqnr_db(outputs(model.SerializeToString()), outputs(path.read_bytes()))


def mean_bits(path):
    layers = layer_bits(path)
    return sum(each.parameters * each.weight_bits for each in layers) / sum(
        each.parameters for each in layers
    )


@pytest.mark.parametrize(("bits", "least_db"), [(4, 16), (3, 12)])
def test_rows_too_long_to_be_fitted_whole_have_few_levels(bits, least_db, tmp_path):
    model, path, found = fitted(tmp_path, bits)
    assert all(len(np.unique(row)) <= 2**bits for row in found["head"].integers)
    assert len(np.unique(found["first"].integers)) > 64
    assert bits - 0.2 <= mean_bits(path) <= bits + 0.2
    assert closeness(model, path) > least_db


def test_layers_that_keep_eight_bits_count_in_the_mean(tmp_path):
    saved(long_rows(), tmp_path)
    assert list(whole_layers(QdqFile.read(fitted(tmp_path, 4)[1], read(tmp_path / "net.onnx")))) == ["first"]


def test_one_scale_for_all_rows_leaves_few_levels_too(tmp_path):
    model, path, found = fitted(tmp_path, 4, PER_TENSOR)
    assert [weights.scale.size for weights in found.values()] == [1, 1, 1]
    assert len(np.unique(found["head"].integers)) <= 16 < len(np.unique(found["second"].integers)) <= 64
    assert closeness(model, path) > 15


def test_a_product_that_is_no_known_matrix_is_rounded_to_the_nearest_of_few(tmp_path):
    """Gemm with alpha: what it multiplies by is not what is stored."""
    model, path, found = fitted(tmp_path, 4, alpha=0.5)
    assert all(len(np.unique(row)) <= 16 for row in found["head"].integers)
    assert closeness(model, path) > 15


@pytest.mark.parametrize("kind", ["apot", "codebook", "ternary", "binary"])
@pytest.mark.parametrize(("scheme", "alpha"), [(PER_CHANNEL, 1.0), (PER_TENSOR, 1.0), (PER_CHANNEL, 0.5)])
def test_levels_of_other_kinds_leave_the_first_and_the_last_layer(kind, scheme, alpha, tmp_path):
    """The one between has them, whether each row has a scale or all have one."""
    bits = {"ternary": 2, "binary": 1}.get(kind, 3)
    _, _, found = fitted(tmp_path, bits, scheme, alpha, WeightLevels(kind))
    assert all(len(np.unique(row)) <= 2**bits for row in found["second"].integers)
    assert all(len(np.unique(found[outer].integers)) > 64 for outer in ("first", "head") if outer in found)


@pytest.mark.parametrize("kind", ["codebook", "ternary"])
@pytest.mark.parametrize(("scheme", "alpha"), [(PER_CHANNEL, 1.0), (PER_TENSOR, 1.0), (PER_CHANNEL, 0.5)])
def test_long_rows_and_unknown_products_have_them_too(kind, scheme, alpha, tmp_path, monkeypatch):
    """The classifier, once it counts as an inner layer."""
    monkeypatch.setattr(QdqFile, "outer", lambda self: {"first"})
    bits = {"ternary": 2}.get(kind, 3)
    model, path, found = fitted(tmp_path, bits, scheme, alpha, WeightLevels(kind))
    assert all(len(np.unique(row)) <= 2**bits for row in found["head"].integers)
    assert closeness(model, path) > 6


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (4, "weights of 4 bits on average, more where a layer has few; 1 layer of short rows has 8"),
        (2, "weights of 2.1 bits on average, not 2: 1 layer of short rows has 8, and no layer fewer than 2"),
    ],
)
def test_the_report_names_the_layers_that_keep_eight_bits(bits, said, tmp_path):
    made = make(
        STATIC,
        saved(long_rows(), tmp_path),
        Rows(images(48)),
        Rows(images(48, seed=2)),
        same_samples=False,
        gate=Gate(min_sqnr_db=-100.0),
        workdir=tmp_path / "work",
        options=Options(weight_bits=bits, passes=("fit",)),
    )
    (how,) = {change.how for change in made.fidelity.remedies if change.what == "first"}
    assert "8 bits" in how
    (why,) = [result.why for result in made.fidelity.repairs if result.repair == "fit"]
    assert said in why


def test_the_scale_of_some_weights_of_a_row_fits_all_of_them():
    """Within two percent of the least error of all scales tried on the whole row."""
    rows = np.random.default_rng(0).normal(size=(3, 20_000)) * np.array([[1.0], [10.0], [0.1]])
    largest = np.abs(rows).max(axis=1)

    def errors(scale):
        return np.square(rows - np.clip(np.rint(rows / scale[:, None]), -4, 3) * scale[:, None]).mean(axis=1)

    least = np.min([errors(largest * step) for step in np.linspace(0.05, 0.4, 200)], axis=0)
    assert np.all(errors(nearest_scale(rows, 3, 0)) < 1.02 * least)


def test_zeros_stay_zeros():
    found = rounded_to_nearest(np.zeros((2, 4), np.float32), None, 3, 0)
    assert not found.integers.any() and found.scale.tolist() == [1.0, 1.0]
