"""A tensor gets a calibrator of its own only where the outputs' gain is significant."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgeq.graphs.float_graph import read
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort import qdq
from edgeq.quantize.calibration.calibrate import calibrate_onnx
from edgeq.quantize.passes.ranges.range_search import closest_ranges, per_tensor
from edgeq.quantize.passes.ranges.trial import OnnxTrial
from tests.quantize.networks import model_of


def test_only_the_tensors_that_gain_change_their_calibrator():
    """With mse the noise falls for tensor a, rises for b, and changes at random for c."""
    rng = np.random.default_rng(1)
    luck = {"c": rng.normal(scale=0.3, size=64)}

    def noise(chosen):
        total = {"a": {"mse": 1.0}.get(chosen["a"], 2.0), "b": {"mse": 2.0}.get(chosen["b"], 1.0), "c": 1.0}
        each = sum(total.values()) + (luck["c"] if chosen["c"] == "mse" else 0.0)
        return (each * rng.uniform(0.99, 1.01, 64))[:, None]

    chosen = per_tensor("minmax", ("a", "b", "c"), [(t, "mse") for t in "cba"], noise)
    assert chosen == {"a": "mse", "b": "minmax", "c": "minmax"}


def test_few_samples_change_no_single_tensor():
    def noise(chosen):
        return np.full((8, 1), 1.0 if chosen["a"] == "mse" else 2.0)

    assert per_tensor("minmax", ("a",), [("a", "mse")], noise) == {"a": "minmax"}


def two_branches():
    """The convolution behind u ignores its last channel; of v only the largest value of each channel is used."""
    shape, weights, nodes = (1, 4, 64, 64), [], []
    for x, diagonal in (("u", [1, 1, 1, 0]), ("v", [1, 1, 1, 1])):
        weight = np.diag(diagonal).astype(np.float32).reshape(4, 4, 1, 1)
        weights.append(numpy_helper.from_array(weight, f"{x}.w"))
        nodes.append(helper.make_node("Conv", [x, f"{x}.w"], [f"{x}.conv"], name=f"{x}.conv"))
    nodes.append(helper.make_node("MaxPool", ["v.conv"], ["largest"], name="largest", kernel_shape=[64, 64]))
    outputs = [("u.conv", shape), ("largest", (1, 4, 1, 1))]
    return model_of(nodes, weights, [("u", shape), ("v", shape)], outputs)


class Outliers:
    """Noise in both inputs, and in every 32nd sample a single 20: in the last channel of u, in the first of v."""

    labels = truth = None
    sha256 = "o" * 64
    count = 128

    def __getitem__(self, i):
        u, v = np.random.default_rng(i).normal(size=(2, 1, 4, 64, 64)).astype(np.float32)
        if i % 32 < 2:
            u[0, 3, 5, 5] = v[0, 0, 5, 5] = 20.0
        return u, v


def test_an_outlier_is_clipped_unless_it_decides_the_output(tmp_path):
    onnx.save(two_branches(), str(tmp_path / "net.onnx"))
    model, out = read(tmp_path / "net.onnx"), tmp_path / "q.onnx"
    seen = calibrate_onnx(model, Outliers(), True)
    trial = OnnxTrial(model, lambda r: qdq.emit(model, out, Scheme("uint8", "int8", True), r), out)
    chosen = closest_ranges(seen, "auto", trial, Outliers(), 1)
    assert chosen.calibrator.startswith("per tensor: minmax (")
    assert chosen.ranges["u"][1] < 10
    assert chosen.ranges["v"][1] == chosen.ranges["v.conv"][1] == 20
