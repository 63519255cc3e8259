"""Networks in which a loop never ends once an input is above 50: what a search on random input, or on zeros, does not find."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

LIMIT = 50.0
IN, OUT = 16, 8


def samples(count: int, endless_from: int) -> np.ndarray:
    """[count, 16]: those from this number on keep a loop going."""
    values = np.random.default_rng(1).standard_normal((count, IN)).astype(np.float32)
    values[endless_from:, 3] += LIMIT + 10  # no two equal ones: these would go unused
    return values


def onnx_net(path: Path) -> Path:
    """A product, and a Loop with a trip count that depends on the input: 1 or 2**62."""
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["kept", "half"], ["smaller"]),
            helper.make_node("Add", ["smaller", "quarter"], ["kept_out"]),
            helper.make_node("Identity", ["go"], ["go_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", TensorProto.FLOAT, [1, OUT]),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept_out", TensorProto.FLOAT, [1, OUT]),
        ],
        [
            helper.make_tensor("half", TensorProto.FLOAT, [], [0.5]),
            helper.make_tensor("quarter", TensorProto.FLOAT, [], [0.25]),
        ],
    )
    weights = np.random.default_rng(0).standard_normal((IN, OUT)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["product"]),
            helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "limit"], ["above"]),
            helper.make_node("Where", ["above", "many", "one"], ["count"]),
            helper.make_node("Loop", ["count", "", "product"], ["y"], body=body),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, IN])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, OUT])],
        [
            onnx.numpy_helper.from_array(weights, "w"),
            helper.make_tensor("limit", TensorProto.FLOAT, [], [LIMIT]),
            helper.make_tensor("many", TensorProto.INT64, [], [2**62]),
            helper.make_tensor("one", TensorProto.INT64, [], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def tflite_net(path: Path) -> Path:
    """WHILE x > 50: x = |x|, on one value."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    operators = schema.BuiltinOperator
    codes = (operators.WHILE, operators.GREATER, operators.ABS)
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = [_code(schema, code) for code in codes]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.frombuffer(np.float32(LIMIT).tobytes(), np.uint8)

    loop = schema.WhileOptionsT()
    loop.condSubgraphIndex, loop.bodySubgraphIndex = 1, 2
    main = _graph(schema, ("x", "y"), (0, [0], [1]))
    main.operators[0].builtinOptionsType = schema.BuiltinOptions.WhileOptions
    main.operators[0].builtinOptions = loop
    cond = _graph(schema, ("x", "above"), (1, [0, 2], [1]))
    cond.tensors[1].type = schema.TensorType.BOOL
    cond.tensors.append(_tensor(schema, "limit", buffer=1))
    model.subgraphs = [main, cond, _graph(schema, ("x", "same"), (2, [0], [1]))]
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return path


def _code(schema, builtin):
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    return code


def _tensor(schema, name, buffer=0):
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, np.array([1], np.int32), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def _graph(schema, names, operator):
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(schema, name) for name in names]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([1], np.int32)
    one = schema.OperatorT()
    one.opcodeIndex, inputs, outputs = operator
    one.inputs, one.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    graph.operators = [one]
    return graph


def program(path: Path) -> Path:
    """A saved program with a while_loop that goes on while an input is above 50."""
    import torch
    from torch._higher_order_ops.while_loop import while_loop

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(IN, OUT)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            def above(y: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
                return largest > LIMIT

            def step(y: torch.Tensor, largest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                return y * 0.5, largest.clone()

            kept: torch.Tensor = while_loop(above, step, (self.layer(x), x.max()))[0]
            return kept

    torch.export.save(torch.export.export(Net().eval(), (torch.zeros(1, IN),), strict=False), path)
    return path
