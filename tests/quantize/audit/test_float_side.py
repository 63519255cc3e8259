"""The layers of a trained candidate are compared with the float model's, where it has the same ones."""

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from edgeq.nouns.plan import CandidatePlan
from edgeq.quantize.audit.float_side import FloatSide, float_side
from tests.train.residual_network import S8, network, quantized

TRAINED = CandidatePlan(
    "onnxruntime-trained_static", "onnxruntime", "trained_static", "onnx", "a test", scheme=S8
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def trained(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(quantized(model, S8), folder / "trained.onnx")
    return folder / "trained.onnx"


def narrower() -> onnx.ModelProto:
    """Half of the channels between the two convolutions of the branch."""
    model = network()
    stored = {t.name: t for t in model.graph.initializer}
    for name, axis in (("first.w", 0), ("first.b", 0), ("second.w", 1)):
        array = numpy_helper.to_array(stored[name])
        half = array.take(range(array.shape[axis] // 2), axis)
        stored[name].CopyFrom(numpy_helper.from_array(half, name))
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model)


def test_a_network_with_the_layers_of_the_model_has_its_float_file(source: Path) -> None:
    assert float_side(source, trained(network(), source.parent), TRAINED, source.parent) == FloatSide(source)


def test_a_narrower_one_has_its_own(source: Path) -> None:
    found = float_side(source, trained(narrower(), source.parent), TRAINED, source.parent)
    assert found.why == (
        "2 of the float model's 4 layers are not in it by name, or with weights of another shape"
    )
    weights = {t.name: tuple(t.dims) for t in onnx.load(found.path).graph.initializer}
    whole = {t.name: tuple(t.dims) for t in network().graph.initializer}
    assert weights["first.b"][0] == whole["first.b"][0] // 2


def test_other_recipes_are_compared_with_the_model(source: Path) -> None:
    static = replace(TRAINED, recipe="int8_static")
    assert float_side(source, trained(narrower(), source.parent), static, source.parent) == FloatSide(source)
