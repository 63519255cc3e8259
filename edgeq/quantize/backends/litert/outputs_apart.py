"""Brings a .tflite file into a form that litert-quantizer takes, and what it writes back into the file's own.

It gives a tensor that is an output one type for all who read it: float where the output is to be float, also for
operators that it turned into integers, and LiteRT refuses such a file. With a copy in between, which stays in float,
the tensor is one like any other. Copies never run: they are gone from the file that is written. And it fails where
there is no list of signatures, be it an empty one.
"""

from pathlib import Path
from typing import Any

from edgeq.graphs.tflite import opcode_of, packed, read_model, read_tflite, unpacked

_COPY = "_copied_for_the_output"


def copies(source: Path) -> dict[str, str]:
    """The name of each copy by that of the output it stands for; empty where no output needs one."""
    graph = read_tflite(source)
    used = {i for o in graph.operators for i in o.inputs} | set(graph.inputs)
    names = (graph.tensors[i].name for i in graph.outputs if i in used and graph.tensors[i].type == "FLOAT32")
    return {name: name + _COPY for name in names}


def apart(source: Path, copied: dict[str, str]) -> bytes:
    """The file with the copies that `copies` named."""
    model = read_model(source)
    if not copied and model.signatureDefs is not None:
        return source.read_bytes()
    graph, model.signatureDefs = model.subgraphs[0], model.signatureDefs or []
    moved = {
        t: _add_copy(model, t, copied[name])
        for t in sorted({int(t) for t in graph.outputs})
        if (name := graph.tensors[t].name.decode()) in copied
    }
    _give(model, moved)
    return packed(model)


def joined(content: bytes) -> bytes:
    """The quantized file without the copies: what they copied is the output."""
    model = unpacked(content)
    graph = model.subgraphs[0]
    added = [o for o in graph.operators if graph.tensors[o.outputs[0]].name.decode().endswith(_COPY)]
    _give(model, {int(o.outputs[0]): int(o.inputs[0]) for o in added})
    graph.operators = [o for o in graph.operators if o not in added]
    return packed(model)


def _add_copy(model: Any, tensor: int, name: str) -> int:
    """By a RESHAPE to the same shape, at the end of the graph."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    copy, operator, options = schema.TensorT(), schema.OperatorT(), schema.ReshapeOptionsT()
    copy.name, copy.type, copy.buffer = name.encode(), graph.tensors[tensor].type, 0
    copy.shape = options.newShape = graph.tensors[tensor].shape
    graph.tensors.append(copy)
    operator.opcodeIndex = opcode_of(model, schema.BuiltinOperator.RESHAPE)
    operator.inputs, operator.outputs = [tensor], [len(graph.tensors) - 1]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.ReshapeOptions, options
    graph.operators.append(operator)
    return len(graph.tensors) - 1


def _give(model: Any, instead: dict[int, int]) -> None:
    """Outputs by their new places, also in the signatures."""
    graph = model.subgraphs[0]
    graph.outputs = [instead.get(int(t), int(t)) for t in graph.outputs]
    for signature in model.signatureDefs or ():
        for entry in signature.outputs if signature.subgraphIndex == 0 else ():
            entry.tensorIndex = instead.get(entry.tensorIndex, entry.tensorIndex)
