"""The float model as checks get it: its answers, and what its first layers give, the same for each kind of source."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ModelRefused
from edgeq.ingest.float_model import FloatModel, of_channels
from edgeq.ingest.open_model import look_at_model
from edgeq.ingest.request import Request
from edgeq.user_code import load_attribute

RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
BIAS = np.array([1, -2, 3, 0.5], np.float32)
MEAN, VARIANCE = np.array([1, 2, 3, 4], np.float32), np.array([4, 9, 1, 16], np.float32)
SAMPLES = [(RNG.normal(size=(1, 3, 8, 8)).astype(np.float32),) for _ in range(20)]


def looked_at(folder: Path, source: str) -> FloatModel:
    found: list[FloatModel] = []
    look_at_model(Request(source, folder / "work", "net", example=(SAMPLES[0][0][0],), look=found.append))
    return found[0]


def onnx_file(
    path: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], *, as_nodes: bool
) -> str:
    """conv [, batch normalization]; the weights as initializers or, as Paddle's exporter writes them, as nodes."""
    stored = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    constants = [helper.make_node("Constant", [], [t.name], value=t) for t in stored] if as_nodes else []
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])
    graph = helper.make_graph([*constants, *nodes], "net", [x], [y], [] if as_nodes else stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return str(path)


TORCH = """
import torch
def build():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias={bias}), {more})
    return net
"""


def expected() -> np.ndarray:
    """What the convolution gives on all samples, [channels, values], without its bias."""
    windows = [np.lib.stride_tricks.sliding_window_view(s[0][0], (3, 3), axis=(1, 2)) for s in SAMPLES]
    return np.concatenate([np.einsum("chwij,ocij->ohw", w, WEIGHTS).reshape(4, -1) for w in windows], axis=1)


@pytest.mark.parametrize("as_nodes", [False, True])
def test_the_first_convolution_of_onnx_with_its_bias(tmp_path: Path, as_nodes: bool) -> None:
    conv = helper.make_node("Conv", ["x", "w", "b"], ["c"])
    relu = helper.make_node("Relu", ["c"], ["y"])
    source = onnx_file(tmp_path / "net.onnx", [conv, relu], {"w": WEIGHTS, "b": BIAS}, as_nodes=as_nodes)
    model = looked_at(tmp_path, source)
    layer = model.first_layers(SAMPLES).layer
    assert layer is not None
    np.testing.assert_allclose(layer.mean, expected().mean(axis=1) + BIAS, atol=1e-4)
    np.testing.assert_allclose(layer.std, expected().std(axis=1), atol=1e-4)
    np.testing.assert_array_equal(layer.bias, BIAS)
    answers = model.answers(SAMPLES)
    assert [a.shape for a in answers[0]] == [(1, 4, 6, 6)]
    assert len(answers) == 20


@pytest.mark.parametrize("as_nodes", [False, True])
def test_what_enters_the_first_batch_normalization_of_onnx(tmp_path: Path, as_nodes: bool) -> None:
    """One right behind the convolution is multiplied into it when the file is opened."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("BatchNormalization", ["r", "s", "o", "m", "v"], ["n"]),
        helper.make_node("Sigmoid", ["n"], ["y"]),
    ]
    ones = np.ones(4, np.float32)
    weights = {"w": WEIGHTS, "s": ones, "o": ones, "m": MEAN, "v": VARIANCE}
    found = looked_at(tmp_path, onnx_file(tmp_path / "net.onnx", nodes, weights, as_nodes=as_nodes))
    norm = found.first_layers(SAMPLES).norm
    assert norm is not None
    np.testing.assert_allclose(norm.mean, np.maximum(expected(), 0).mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(norm.trained_mean, MEAN)
    np.testing.assert_allclose(norm.trained_std, np.sqrt(VARIANCE), rtol=1e-4)


@pytest.mark.parametrize("saved", [False, True])
def test_the_first_layers_of_torch_are_those_of_a_factory_and_of_a_saved_program(
    tmp_path: Path, saved: bool
) -> None:
    torch = pytest.importorskip("torch")
    text = TORCH.format(bias=False, more="torch.nn.BatchNorm2d(4), torch.nn.ReLU()")
    text = text.replace(
        "    return net", "    torch.manual_seed(0)\n    net[1].running_mean.fill_(2.0)\n    return net"
    )
    (tmp_path / "net.py").write_text(text)
    source = f"{tmp_path / 'net.py'}:build"
    if saved:
        net = load_attribute(source, ModelRefused)().eval()
        source = str(tmp_path / "net.pt2")
        torch.export.save(torch.export.export(net, (torch.from_numpy(SAMPLES[0][0]),)), source)
    model = looked_at(tmp_path, source)
    found = model.first_layers(SAMPLES)
    assert found.layer is None
    assert found.norm is not None
    np.testing.assert_array_equal(found.norm.trained_mean, np.full(4, 2.0))
    assert found.norm.std.min() > 0.1
    alone = [model.answers([sample])[0][0] for sample in SAMPLES[:3]]
    np.testing.assert_allclose(
        np.concatenate([a[0] for a in model.answers(SAMPLES)[:3]]), np.concatenate(alone), rtol=1e-4
    )


def test_a_batch_normalization_that_was_never_trained_tells_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(TORCH.format(bias=True, more="torch.nn.BatchNorm2d(4)"))
    found = looked_at(tmp_path, f"{tmp_path / 'net.py'}:build").first_layers(SAMPLES)
    assert found.norm is None
    assert found.layer is not None


def test_statistics_of_channels_are_those_of_all_values_together() -> None:
    rng = np.random.default_rng(0)
    values = [rng.normal(1000, 0.1, (1, 4, size)).astype(np.float32) for size in (3, 50, 7)]
    together = np.concatenate(values, axis=2)[0].astype(np.float64)
    mean, spread = of_channels(values, 1)
    assert np.allclose(mean, together.mean(axis=1), rtol=1e-12)
    assert np.allclose(spread, together.std(axis=1), rtol=1e-9)
