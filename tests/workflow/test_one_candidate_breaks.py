"""A converter that fails on one candidate spoils no other."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ConversionFailed
from edgeq.nouns.progress import Note
from edgeq.workflow.convert import convert


@pytest.fixture
def joined_with_nothing(tmp_path):
    """A matrix product beside an input without values, for which onnxruntime's quantizer finds no range."""
    weights = np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("Concat", ["y", "nothing"], ["z"], axis=0),
        ],
        "net",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 32]),
            helper.make_tensor_value_info("nothing", TensorProto.FLOAT, [0, 16]),
        ],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 16])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    x = np.random.default_rng(1).normal(size=(20, 4, 32)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, nothing=np.zeros((20, 0, 16), np.float32))
    return {"model": str(tmp_path / "net.onnx"), "data": str(tmp_path / "data.npz"), "target": "x86-64-vnni"}


def test_the_others_are_built_and_it_is_said(joined_with_nothing, tmp_path):
    told = []
    conversion = convert(**joined_with_nothing, output=tmp_path / "net.edgeq", tell=told.append)
    built = {"onnxruntime-int8_dynamic", "onnxruntime-float"}
    assert {c.id for c in conversion.plan.candidates} == built
    assert {c.id for c in conversion.bundle.manifest.candidates} == built
    assert "onnxruntime-int8_static" in {s.what for s in conversion.plan.skipped}
    (said,) = [n.text for n in told if isinstance(n, Note)]
    assert said.startswith("onnxruntime-int8_static could not be built, the others could: ")


def test_what_was_asked_for_and_breaks_is_an_error(joined_with_nothing, tmp_path):
    with pytest.raises(ConversionFailed, match="quantizer refused"):
        convert(**joined_with_nothing, recipe="int8_static", output=tmp_path / "net.edgeq")
    assert not (tmp_path / "net.edgeq").exists()
