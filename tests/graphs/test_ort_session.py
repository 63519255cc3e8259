"""Sums of integer products are exact wherever a file is judged, also on a CPU whose kernels saturate."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.emulate import qemu
from edgeq.graphs.ort_session import host_saturates, optimized, ort_session
from tests.emulate.conftest import require_emulator

ROWS = np.random.default_rng(1).uniform(0.7, 1.0, (8, 16)).astype(np.float32)
WEIGHTS = np.random.default_rng(0).integers(100, 128, (16, 32)).astype(np.int8)


def product(activations: type, *, per_channel: bool, quantized_output: bool) -> onnx.ModelProto:
    """One MatMul between Q and DQ whose pairs of products overflow 16 bits."""
    zero = np.array(np.iinfo(activations).min, activations)
    weight_scale = np.full(32, 1 / 127, np.float32) if per_channel else np.float32(1 / 127)
    stored = {
        "sx": np.float32(1 / 255),
        "zx": zero,
        "sy": np.float32(20 / 255),
        "zy": zero,
        "w": WEIGHTS,
        "sw": weight_scale,
        "zw": np.zeros_like(weight_scale, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "sx", "zx"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=1),
        helper.make_node("MatMul", ["d", "dw"], ["p"]),
    ]
    if quantized_output:
        nodes += [
            helper.make_node("QuantizeLinear", ["p", "sy", "zy"], ["qy"]),
            helper.make_node("DequantizeLinear", ["qy", "sy", "zy"], ["y"]),
        ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [8, 16]),
        helper.make_tensor_value_info("y" if quantized_output else "p", TensorProto.FLOAT, [8, 32]),
    ]
    graph = helper.make_graph(
        nodes, "product", ends[:1], ends[1:], [numpy_helper.from_array(v, k) for k, v in stored.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("readers", ["one DequantizeLinear", "one each"])
def test_layers_may_share_their_weights(readers, tmp_path):
    """A CPU that saturates gets the weights as U8, of which onnxruntime makes one for each layer."""
    model = product(np.uint8, per_channel=True, quantized_output=True)
    graph = model.graph
    if readers == "one each":
        graph.node.insert(3, helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw_2"], axis=1))
    again = helper.make_node("MatMul", ["d", "dw_2" if readers == "one each" else "dw"], ["p_2"])
    quantize = helper.make_node("QuantizeLinear", ["p_2", "sy", "zy"], ["qy_2"])
    graph.node.extend([again, quantize, helper.make_node("DequantizeLinear", ["qy_2", "sy", "zy"], ["y_2"])])
    graph.output.append(helper.make_tensor_value_info("y_2", TensorProto.FLOAT, [8, 32]))
    path = tmp_path / "shared.onnx"
    onnx.save(model, str(path))
    for each in (model, model.SerializeToString(), path):
        one, other = ort_session(each, threads=1).run(None, {"x": ROWS})
        np.testing.assert_array_equal(one, other)


def largest_difference(activations: type, *, native_kernels: bool) -> float:
    """Between fused kernels and operators by definition, as a share of the largest value, worst of four forms."""
    worst = 0.0
    for per_channel in (True, False):
        for quantized_output in (True, False):
            model = product(activations, per_channel=per_channel, quantized_output=quantized_output)
            defined = ort_session(model, threads=1, optimize=False).run(None, {"x": ROWS})[0]
            fused = ort_session(model, threads=1, native_kernels=native_kernels).run(None, {"x": ROWS})[0]
            worst = max(worst, float(np.abs(fused - defined).max() / np.abs(defined).max()))
    return worst


def figures() -> dict[str, object]:
    return {
        "saturates": host_saturates(),
        **{
            f"{kind.__name__} {'host' if native_kernels else 'exact'}": largest_difference(
                kind, native_kernels=native_kernels
            )
            for kind in (np.uint8, np.int8)
            for native_kernels in (True, False)
        },
    }


def check(found: dict[str, object]) -> None:
    """Half a step of 255 is what rounding may move."""
    step = 1 / 255
    assert found["uint8 exact"] <= step
    assert found["int8 exact"] <= step
    for kind in ("uint8 host", "int8 host"):
        assert (found[kind] > 0.1) == found["saturates"]


@pytest.mark.arithmetic
def test_sums_are_exact_on_this_host() -> None:
    found = figures()
    check(found)
    if "EDGEQ_EMULATED_BY" in os.environ:  # make test-without-vnni
        assert found["saturates"], "these tests are to run on a CPU whose kernels saturate"


@pytest.mark.lab
def test_sums_are_exact_where_the_kernels_saturate() -> None:
    require_emulator("qemu-x86_64")
    python = [str(qemu.find("x86_64").path), "-cpu", "Haswell", sys.executable]
    words = [*python, "-m", "tests.graphs.test_ort_session"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=250)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["saturates"] is True
    check(found)


def test_every_session_of_the_host_is_of_the_one_factory() -> None:
    """Another one would compute with whatever the host's kernels do. Agent and application have their own runtime."""
    package = Path(__file__).parents[2] / "edgeq"
    opened = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "InferenceSession(" in file.read_text(encoding="utf-8")
        and file.relative_to(package).parts[0] not in ("agent", "application")
    }
    assert opened == {"graphs/ort_session.py"}


def test_every_interpreter_of_the_host_is_of_the_one_factory() -> None:
    """run_apart.py runs under another Python, which has no edgeq."""
    package = Path(__file__).parents[2] / "edgeq"
    opened = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if "Interpreter(" in file.read_text(encoding="utf-8")
        and file.relative_to(package).parts[0] not in ("agent", "application", "example_code")
    }
    assert opened == {"graphs/tflite_session.py", "ingest/onnx_to_tflite/run_apart.py"}


def test_optimized_is_the_graph_that_onnxruntime_would_run() -> None:
    model = product(np.uint8, per_channel=False, quantized_output=True)
    assert "QLinearMatMul" in {node.op_type for node in optimized(model, "extended").graph.node}
    assert len(optimized(model, "basic").graph.node) <= len(model.graph.node)


if __name__ == "__main__":
    print(json.dumps(figures()))
