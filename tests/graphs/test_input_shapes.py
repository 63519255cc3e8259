"""A graph with open dimensions computes and holds what its inputs' shape says."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs.input_shapes import largest
from edgeq.graphs.macs import graph_macs
from edgeq.graphs.memory import activation_bytes, predict_peak
from edgeq.quantize.passes.fuse.integer_kernels import averages
from edgeq.quantize.samples import shapes_of
from tests.quantize.networks import Rows, images, model_of

SIZES = ((16, 16), (64, 48), (32, 32))


class Images(Rows):
    def __getitem__(self, i):
        return (np.zeros((1, 3, *SIZES[i]), np.float32),)


SAMPLES = Images(np.zeros(3))


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=(8, 3, 3, 3)).astype(np.float32), "k"),
        numpy_helper.from_array(rng.normal(size=(8, 8, 1, 1)).astype(np.float32), "l"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "l"], ["b"], name="second"),
        helper.make_node("ReduceMean", ["b"], ["y"], name="mean", axes=[2, 3], keepdims=1),
    ]
    return model_of(nodes, weights, [("x", (1, 3, "height", "width"))], [("y", (1, 8, 1, 1))])


def test_the_largest_sample_says_how_much_is_held(network, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(network, str(path))
    assert largest(network, shapes_of(SAMPLES)) == {"x": (1, 3, 64, 48)}
    assert activation_bytes(path, "onnx", shapes_of(SAMPLES)) == 4 * ((3 + 8 + 8) * 64 * 48 + 8)
    small, large = (predict_peak(path, "onnx", {"x": (1, 3, *size)}) for size in SIZES[:2])
    assert large - small == 3 * 4 * 19 * (64 * 48 - 16 * 16)


def test_work_is_that_of_one_shape(network, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(network, str(path))
    assert graph_macs(path, "onnx", {"x": (1, 3, 32, 32)}).macs == {"Conv": 32 * 32 * (8 * 27 + 8 * 8)}


def test_fixed_graphs_read_no_sample():
    fixed = model_of(
        [helper.make_node("Relu", ["x"], ["y"])], [], [("x", (1, 3, 16, 16))], [("y", (1, 3, 16, 16))]
    )
    assert largest(fixed, shapes_of(Rows(images(2)))) == {}


def test_a_mean_over_an_image_of_any_size_is_a_global_one(network):
    model = onnx.shape_inference.infer_shapes(network)
    assert [remedy.what for remedy in averages(model)] == ["mean"]
    assert [n.op_type for n in model.graph.node] == ["Conv", "Conv", "GlobalAveragePool"]
