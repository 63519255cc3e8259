"""A device root with tiny models, made with the real libraries; jobs that run them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeq.nouns.job import Entrant, Job, Limits

QUICK = Limits(seconds=20, min_rounds=6, max_rounds=6, block_ms=2, load_seconds=60, check_seconds=10)


def save_graph(
    path: Path, nodes: list, outputs: list[str], initializers: dict[str, np.ndarray], shape=(1, 4)
) -> Path:
    """An ONNX file with one float input `x`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
        [numpy_helper.from_array(a, n) for n, a in initializers.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def linear(path: Path, factor: float = 2.0) -> Path:
    """y = factor * x"""
    node = helper.make_node("Mul", ["x", "f"], ["y"])
    return save_graph(path, [node], ["y"], {"f": np.array(factor, np.float32)})


def never_ends(path: Path) -> Path:
    """A Loop of 2^62 turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 4]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 4]),
        ],
    )
    loop = helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)
    return save_graph(path, [loop], ["y"], {"turns": np.array(2**62), "yes": np.array(True)})


def wants_memory(path: Path) -> Path:
    """Allocates 2^n * 4 bytes with n = 36, from an exponent in the file that no folding can reach through `x`."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Mul", ["s", "big"], ["dims"]),
        helper.make_node("ConstantOfShape", ["dims"], ["y"]),
    ]
    return save_graph(path, nodes, ["y"], {"big": np.array([1, 2**34])}, shape=("n", 4))


def divides_by_zero(path: Path) -> Path:
    """y = x / 0: infinite for every finite sample."""
    node = helper.make_node("Div", ["x", "zero"], ["y"])
    return save_graph(path, [node], ["y"], {"zero": np.array(0, np.float32)})


@dataclass
class Device:
    """A root with check samples for one input of shape 1x4."""

    root: Path

    def entrant(self, id: str, model: Path, runtime: str = "onnxruntime", **changes) -> Entrant:
        names = {"inputs": ("x",), "outputs": ("y",), **changes}
        return Entrant(id, runtime, str(model.relative_to(self.root)), "0" * 64, **names)

    def job(self, *entrants: Entrant, kind: str = "smoke", limits: Limits = QUICK, **changes) -> Job:
        return Job("job-1", kind, "tiny", entrants, "samples/s", limits=limits, **changes)

    def samples(self, array: np.ndarray) -> None:
        folder = self.root / "samples/s"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "0.npy", array)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    made = Device(tmp_path / "root")
    made.samples(np.arange(40, dtype=np.float32).reshape(10, 1, 4))
    return made


@pytest.fixture
def run(device: Device) -> Callable:
    """run(job): what the agent's `work` command does with a job."""
    from edgeq.agent.measure import run_job

    return lambda job: run_job(job, str(device.root), "agent-0", str(device.root / "results" / job.id))


def doubled(path: Path, integer: bool = False, open_batch: bool = False, damaged: bool = False) -> Path:
    """y = x + x as TFLite, written with the schema itself; int8 with x of scale 0.5 and y of scale 1 when `integer`.

    `damaged` leaves out the list of graphs: LiteRT 2.3 takes such a file and dies of it.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, scale: float) -> "schema.TensorT":
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, [1, 4], 0
        made.type = schema.TensorType.INT8 if integer else schema.TensorType.FLOAT32
        made.shapeSignature = [-1, 4] if open_batch else None
        if integer:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [-3]
        return made

    code, add, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    code.version = 1
    add.opcodeIndex, add.inputs, add.outputs = 0, [0, 0], [1]
    add.builtinOptionsType, add.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
    graph.tensors = [tensor("x", 0.5), tensor("y", 1.0)]
    graph.inputs, graph.outputs, graph.operators = [0], [1], [add]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = (
        3,
        [code],
        [graph],
        [schema.BufferT()],
    )
    if damaged:
        model.subgraphs = None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path
