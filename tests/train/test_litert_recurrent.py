"""A trained network computes recurrent layers in float: so does its .tflite file, or there is none."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("torch")
pytest.importorskip("ai_edge_litert")

from edgeq.conversion.trained_tflite import with_tflite
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.weightless import infer_shapes
from tests.ingest.onnx_to_tflite.converter import debian13, onnx2tf_cache, python312  # noqa: F401
from tests.quantize.networks import saved
from tests.train.a_training import trained_file
from tests.train.litert_runs import made_of
from tests.train.residual_network import CLASSES, S8, SIZE, images, quantized

SAMPLES = images(64)
STATE, FEATURES = 16, 3 * SIZE
GATES = {"LSTM": 4, "GRU": 3}
KINDS = ("CONV_2D", "BATCH_MATMUL", "FULLY_CONNECTED")


def recurrent(kind: str) -> onnx.ModelProto:
    """The rows of a convolution's output, one after the other, and a dense layer on all states."""
    random = np.random.default_rng(0)
    rows = GATES[kind] * STATE

    def stored(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    def shape(name: str, *axes: int) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(axes, np.int64), name)

    weights = [
        stored("a.w", 3, 3, 1, 1),
        stored("r.w", 1, rows, FEATURES),
        stored("r.r", 1, rows, STATE),
        stored("r.b", 1, 2 * rows),
        stored("b.w", SIZE * STATE, CLASSES),
        stored("b.b", CLASSES),
        shape("sequence", SIZE, 1, FEATURES),
        shape("states", 1, SIZE * STATE),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "a.w"], ["a"], name="a"),
        helper.make_node("Reshape", ["a", "sequence"], ["s"], name="rows"),
        helper.make_node(
            kind, ["s", "r.w", "r.r", "r.b"], ["all", "last"], name="recurrent", hidden_size=STATE
        ),
        helper.make_node("Reshape", ["all", "states"], ["l"], name="flat"),
        helper.make_node("Gemm", ["l", "b.w", "b.b"], ["y"], name="b"),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, CLASSES]),
    ]
    graph = helper.make_graph(nodes, "recurrent", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    infer_shapes(model)
    return model


def test_a_gru_stays_in_float_between_layers_in_integers(tmp_path, onnx2tf_cache) -> None:  # noqa: F811
    model = recurrent("GRU")
    files = made_of(quantized(model, S8), model, SAMPLES, tmp_path, onnx2tf_cache)
    graph = read_tflite(files.made.path)
    types = {
        kind: {graph.tensors[o.outputs[0]].type for o in graph.operators if o.kind == kind} for kind in KINDS
    }
    assert types == {"CONV_2D": {"INT8"}, "BATCH_MATMUL": {"FLOAT32"}, "FULLY_CONNECTED": {"INT8"}}
    assert files.made.fidelity.remedies == ()
    assert files.made.fidelity.outputs[0].sqnr_db > 30


def test_an_lstm_that_would_keep_its_state_has_no_file(tmp_path, onnx2tf_cache, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setattr("edgeq.conversion.cache.folder", lambda: onnx2tf_cache)
    onnx.save(quantized(recurrent("LSTM"), S8), tmp_path / "trained.onnx")
    model = saved(recurrent("LSTM"), tmp_path)
    files = {**model.files, "tflite": "float.tflite"}
    model = replace(model, files=files)
    found = with_tflite(trained_file(tmp_path / "trained.onnx"), model, tmp_path, lambda said: None)
    assert found.tflite == ""
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in found.why_no_tflite
    assert "state" in found.why_no_tflite
