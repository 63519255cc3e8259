"""A module in memory becomes a quantized model in one call."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import edgeq
from edgeq.demo import demo_files
from edgeq.errors import GateFailed

HERE = {"target": "x86-64-vnni", "runtime": "onnxruntime", "recipe": "int8_static"}


def test_a_module_stays_as_it_is() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(1024, 4),
    ).train()  # fmt: skip
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.rand(64, 3, 8, 8)
    q = edgeq.quantize(net, x, name="net", **HERE)
    assert net.training and all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    expected = net.eval()(x)
    answer = q(x)
    assert isinstance(answer, torch.Tensor) and answer.shape == (64, 4)
    error = (answer - expected).square().sum() / expected.square().sum()
    assert error < 0.01
    assert q.summary().integer_layers >= 1 and q.path.suffix == ".edgeq"


def test_a_graph_and_a_path(own_home: Path, tmp_path: Path) -> None:
    model, data = demo_files()
    samples = dict(np.load(data))
    by_path = edgeq.quantize(model, samples, output=tmp_path / "d.edgeq", **HERE)
    in_memory = edgeq.quantize(onnx.load(model), data=samples, candidate="onnxruntime-float", **HERE)
    assert by_path.path == tmp_path / "d.edgeq" and own_home in in_memory.path.parents
    assert (by_path.candidate, in_memory.candidate) == ("onnxruntime-int8_static", "onnxruntime-float")
    images = samples["image"][:8].astype(np.float32)
    assert np.array_equal(by_path(images).argmax(1), in_memory(images).argmax(1))


def test_a_gate_that_fails_is_an_error() -> None:
    model, data = demo_files()
    with pytest.raises(GateFailed):
        edgeq.quantize(model, data, min_sqnr=90, **{**HERE, "recipe": "int8_dynamic"})


def test_its_keywords_are_those_of_convert() -> None:
    with pytest.raises(TypeError, match=r"quantize\(\) has no keyword 'trget'; did you mean target"):
        edgeq.quantize(demo_files()[0], trget="rpi4")


def test_it_is_a_function_and_a_package() -> None:
    from edgeq.quantize.scheme import __name__ as package

    assert package == "edgeq.quantize.scheme" and callable(edgeq.quantize)
    assert "Convert a model for a target" in (edgeq.quantize.__doc__ or "")
