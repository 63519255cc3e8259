"""One int8 operator of LiteRT, run by the kernel that a device runs."""

from dataclasses import dataclass

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgeq.graphs.tflite import packed
from edgeq.graphs.tflite_session import open_interpreter


@dataclass(frozen=True)
class Quantized:
    """int8 `values` and what they stand for."""

    values: np.ndarray
    scale: float
    zero_point: int


def run(
    kind: str,
    inputs: list[Quantized],
    result: tuple[tuple[int, ...], float, int],
    constants: tuple[np.ndarray, ...] = (),
    named: str = "",
    **options: object,
) -> np.ndarray:
    """The output's integers. `result`: its shape, scale and zero point; `constants` are int32 inputs behind the others,
    `options` those of the schema's table `named`."""
    model, graph, operator, code = (
        schema.ModelT(),
        schema.SubGraphT(),
        schema.OperatorT(),
        schema.OperatorCodeT(),
    )
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 2
    if named:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, named)
        operator.builtinOptions = getattr(schema, f"{named}T")()
    for option, value in options.items():
        setattr(operator.builtinOptions, option, value)
    tensors = [
        _tensor(f"x{k}", each.values.shape, each.scale, each.zero_point) for k, each in enumerate(inputs)
    ]
    buffers = [schema.BufferT()]
    for array in constants:
        tensors.append(_constant(array, len(buffers)))
        buffers.append(schema.BufferT())
        buffers[-1].data = np.frombuffer(array.astype(np.int32).tobytes(), np.uint8)
    tensors.append(_tensor("y", *result))
    operator.inputs, operator.outputs = [*range(len(tensors) - 1)], [len(tensors) - 1]
    graph.tensors, graph.operators = tensors, [operator]
    graph.inputs, graph.outputs = [*range(len(inputs))], [len(tensors) - 1]
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [code], buffers
    interpreter = open_interpreter(packed(model), 1)
    for detail, each in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], each.values)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])).astype(int)


def _tensor(name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), schema.TensorType.INT8, 0
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    return tensor


def _constant(array: np.ndarray, buffer: int) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape = f"c{buffer}", list(array.shape)
    tensor.type, tensor.buffer = schema.TensorType.INT32, buffer
    return tensor
