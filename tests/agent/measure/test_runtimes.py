"""What each runtime does with samples and names; one real model per case."""

import numpy as np
import pytest
from onnx import helper

from edgeq.agent.runtimes import runtime, runtime_names

from .conftest import doubled, linear, save_graph

SAMPLE = np.array([[1.0, -2.0, 0.5, 40.0]], np.float32)


def infer(session, *arrays):
    return session.finish(session.run(session.prepare(arrays)))


def test_the_folder_is_the_registry():
    assert runtime_names() == ("litert", "onnxruntime", "tflite-runtime")
    with pytest.raises(LookupError, match="the agent knows litert"):
        runtime("tensorrt")


def test_onnxruntime_gives_outputs_in_the_order_asked_for(tmp_path):
    nodes = [helper.make_node("Neg", ["x"], ["minus"]), helper.make_node("Abs", ["x"], ["size"])]
    path = save_graph(tmp_path / "m.onnx", nodes, ["minus", "size"], {})
    size, minus = infer(runtime("onnxruntime").open_session(str(path), 1, ["x"], ["size", "minus"]), SAMPLE)

    np.testing.assert_array_equal(size, abs(SAMPLE))
    np.testing.assert_array_equal(minus, -SAMPLE)


def test_onnxruntime_takes_float64_samples_as_the_float32_the_file_declares(tmp_path):
    session = runtime("onnxruntime").open_session(str(linear(tmp_path / "m.onnx")), 1, ["x"], ["y"])

    assert infer(session, SAMPLE.astype(np.float64))[0].dtype == np.float32


def test_more_threads_than_cores_run(tmp_path):
    session = runtime("onnxruntime").open_session(str(linear(tmp_path / "m.onnx")), 64, ["x"], ["y"])

    np.testing.assert_array_equal(infer(session, SAMPLE)[0], 2 * SAMPLE)


def test_litert_float(tmp_path):
    session = runtime("litert").open_session(str(doubled(tmp_path / "m.tflite")), 1, ["x"], ["y"])

    np.testing.assert_array_equal(infer(session, SAMPLE)[0], 2 * SAMPLE)
    assert session.notes == ()


def test_litert_quantizes_float_samples_by_the_tensors_own_scale(tmp_path):
    """x = 0.5 (q + 3), y = 1 (q + 3): 40 lies in x's range up to 65, its double above nothing."""
    session = runtime("litert").open_session(
        str(doubled(tmp_path / "m.tflite", integer=True)), 1, ["x"], ["y"]
    )
    (y,) = infer(session, SAMPLE)

    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[2, -4, 1, 80]])
    assert session.notes == (
        "float samples quantized before the clock starts for x (int8)",
        "dequantized after the clock stops: y (int8)",
    )


def test_litert_passes_integers_as_they_are(tmp_path):
    session = runtime("litert").open_session(
        str(doubled(tmp_path / "m.tflite", integer=True)), 1, ["x"], ["y"]
    )
    (y,) = infer(session, np.array([[-3, -1, 1, 97]], np.int8))  # stands for 0, 1, 2, 50

    np.testing.assert_array_equal(y, [[0, 2, 4, 100]])


def test_litert_samples_beyond_the_range_are_clipped(tmp_path):
    session = runtime("litert").open_session(
        str(doubled(tmp_path / "m.tflite", integer=True)), 1, ["x"], ["y"]
    )
    (y,) = infer(session, np.full((1, 4), 1e6, np.float32))

    np.testing.assert_array_equal(y, np.full((1, 4), 130))  # y's largest: 1 * (127 + 3)


def test_litert_open_dimensions_take_the_samples_sizes(tmp_path):
    session = runtime("litert").open_session(
        str(doubled(tmp_path / "m.tflite", open_batch=True)), 1, ["x"], ["y"]
    )
    batch = np.ones((3, 4), np.float32)

    np.testing.assert_array_equal(infer(session, batch)[0], 2 * batch)


def test_litert_fixed_dimensions_refuse_other_sizes(tmp_path):
    session = runtime("litert").open_session(str(doubled(tmp_path / "m.tflite")), 1, ["x"], ["y"])

    with pytest.raises(ValueError, match=r"input x has shape \[1, 4\], the samples \[3, 4\]"):
        session.prepare([np.ones((3, 4), np.float32)])


def test_litert_names_what_the_model_has(tmp_path):
    with pytest.raises(ValueError, match="the model's inputs are x; the job names image"):
        runtime("litert").open_session(str(doubled(tmp_path / "m.tflite")), 1, ["image"], ["y"])
