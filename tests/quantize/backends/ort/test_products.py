"""Matrix products for which onnxruntime needs another form than the usual one."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgeq.graphs import float_graph
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import Rows, model_of, saved

SCHEMES = [
    Scheme("uint8", "int8", True),
    Scheme("uint8", "int8", True, pairs_fit=True),
    Scheme("int8", "int8", True),
]


def rows(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def stack():
    """A matrix of its own for each of four heads, then one for all."""
    nodes = [
        helper.make_node("MatMul", ["x", "heads"], ["a"], name="each"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MatMul", ["b", "all"], ["y"], name="together"),
    ]
    weights = [
        numpy_helper.from_array(rows(0, 4, 16, 16), "heads"),
        numpy_helper.from_array(rows(1, 16, 8), "all"),
    ]
    return model_of(nodes, weights, [("x", (1, 4, 10, 16))], [("y", (1, 4, 10, 8))])


def scaled_gemm():
    nodes = [helper.make_node("Gemm", ["x", "w", "c"], ["y"], name="gemm", alpha=0.5, beta=2.0)]
    weights = [numpy_helper.from_array(rows(0, 16, 8), "w"), numpy_helper.from_array(rows(1, 8), "c")]
    return model_of(nodes, weights, [("x", (1, 16))], [("y", (1, 8))])


def made(model, folder, scheme, shape):
    candidate = CandidatePlan(
        "onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=scheme
    )
    calibration, held_out = Rows(rows(2, 40, *shape)), Rows(rows(3, 20, *shape), sha256="h" * 64)
    return make(
        candidate,
        saved(model, folder),
        calibration,
        held_out,
        same_samples=False,
        gate=Gate(),
        workdir=folder / "work",
        options=Options(calibrator="minmax"),
    )


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_a_stack_of_matrices_has_one_scale_and_runs(scheme, tmp_path):
    found = made(stack(), tmp_path, scheme, (4, 10, 16))
    stored = {i.name: i for i in onnx.load(found.path).graph.initializer}
    assert (list(stored["heads_scale"].dims), list(stored["all_scale"].dims)) == ([], [8])
    assert found.fidelity.outputs[0].sqnr_db > 25


def test_a_gemm_has_no_factors_beside_its_weights(tmp_path):
    onnx.save(scaled_gemm(), str(tmp_path / "net.onnx"))
    graph = float_graph.read(tmp_path / "net.onnx")
    assert not graph.graph.node[0].attribute
    x = rows(4, 1, 16)
    before, after = (
        onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
        for m in (scaled_gemm(), graph)
    )
    np.testing.assert_allclose(after.run(None, {"x": x})[0], before.run(None, {"x": x})[0], rtol=1e-5)


@pytest.mark.arithmetic
def test_a_gemm_with_factors_is_quantized_as_well_as_any(tmp_path):
    assert made(scaled_gemm(), tmp_path, SCHEMES[0], (16,)).fidelity.outputs[0].sqnr_db > 30
