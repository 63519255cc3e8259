"""The instrumented graph gives the statistics that reading every tensor whole gives."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.errors import ConversionFailed
from edgeq.graphs.float_graph import read
from edgeq.quantize.calibration.instrumented_graph import InstrumentedGraph, folded_inputs
from edgeq.quantize.calibration.tensor_stats import stride
from tests.quantize.networks import images, model_of, residual


def opened(model, folder):
    onnx.save(model, str(folder / "net.onnx"))
    return read(folder / "net.onnx")


def values_of(model, names, feeds):
    """Every tensor as an output, read whole."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(
        helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names if n not in feeds
    )
    session = ort.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    return feeds | dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds), strict=True))


def test_it_gives_extremes_sizes_and_every_so_many_values_of_all_tensors(tmp_path):
    model = opened(residual(), tmp_path)
    graph = InstrumentedGraph(model, per_sample=100, threads=1)
    feeds = {"x": images(1)}
    found = graph.run(feeds)[0]
    whole = values_of(model, graph.tensors, feeds)
    assert set(found) == set(graph.tensors) >= {"x", "r0", "one.out", "scores"}
    for name, stats in found.items():
        array = whole[name]
        assert (stats.low, stats.high) == pytest.approx((array.min(), array.max()), rel=1e-5, abs=1e-6)
        assert stats.count == array.size
        np.testing.assert_allclose(
            stats.values, array.ravel()[:: stride(array.size, 100)], rtol=1e-4, atol=1e-5
        )


def test_the_input_of_a_folded_relu_gets_the_statistics_of_its_output(tmp_path):
    model = opened(residual(), tmp_path)
    assert folded_inputs(model) == {"stem": "r0", "one.a": "one.r", "one.sum": "one.out"} | {
        "two.a": "two.r",
        "two.sum": "two.out",
    }
    assert "stem" not in InstrumentedGraph(model, 0, 1).tensors


def logarithm(shape):
    """log of the input: nan below zero, -inf at it."""
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    nodes = [helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Log", ["m"], ["y"])]
    return model_of(nodes, [weight], [("x", shape)], [("y", shape)])


def test_values_that_are_not_finite_are_left_out_and_counted(tmp_path):
    graph = InstrumentedGraph(opened(logarithm((1, 4)), tmp_path), per_sample=10, threads=1)
    for _ in range(2):
        y = graph.run({"x": np.array([[np.e, -1.0, 1.0, 0.0]], np.float32)})[0]["y"]
        assert (y.low, y.high) == pytest.approx((0.0, 1.0), abs=1e-6)
        assert (y.count, y.not_finite) == (2, 2)
    x = graph.run({"x": np.full((1, 4), np.e, np.float32)})[0]["x"]
    assert (x.low, x.count, x.not_finite) == (np.float32(np.e), 4, 0)


def test_open_dimensions_may_differ_from_sample_to_sample_and_be_empty(tmp_path):
    graph = InstrumentedGraph(opened(logarithm((1, "time")), tmp_path), per_sample=10, threads=1)
    for size in (3, 40, 0, 7):
        found = graph.run({"x": np.arange(1, size + 1, dtype=np.float32)[None]})[0]
        assert found["y"].count == size
        if size:
            assert found["y"].high == pytest.approx(np.log(size), abs=1e-6)
            assert len(found["y"].values) == len(range(0, size, stride(size, 10)))


def test_a_sample_that_does_not_run_is_refused(tmp_path):
    graph = InstrumentedGraph(opened(residual(), tmp_path), per_sample=0, threads=1)
    with pytest.raises(ConversionFailed, match="does not run on a calibration sample"):
        graph.run({"x": np.zeros((1, 5, 16, 16), np.float32)})


def test_a_graph_without_floats_has_no_statistics(tmp_path):
    infos = [helper.make_tensor_value_info(n, TensorProto.BOOL, (2,)) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Not", ["x"], ["y"])], "net", infos[:1], infos[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert InstrumentedGraph(opened(model, tmp_path), 10, 1).run({"x": np.array([True, False])}) == ({}, ())
