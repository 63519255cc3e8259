"""A .tflite file as the flatbuffer's own objects, to be changed in place."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edgeq.errors import ConversionFailed
from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.onnx_io import read_onnx
from edgeq.ingest.extras import needed
from edgeq.ingest.onnx_to_tflite.call import REMEDY
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT

_NAMED = 3  # nodes that are named in one message


@dataclass(frozen=True)
class Flat:
    """The flatbuffer as objects: `model` and its one `graph` are changed in place; `kinds` are
    the schema's words for operators.
    """

    schema: ModuleType
    model: "ModelT"
    graph: "SubGraphT"
    kinds: dict[int, str]


def read(path: Path, source: Path) -> Flat:
    """The file at `path`, made from the ONNX graph `source`. Raises ExtraMissing without ai-edge-litert, ConversionFailed
    naming the nodes that TFLite has no operator for.
    """
    files = needed("ai_edge_litert.tools.flatbuffer_utils", "litert", "TFLite from ONNX")
    schema = needed("ai_edge_litert.schema_py_generated", "litert", "TFLite from ONNX")
    with quiet(), as_conversion_failed(f"cannot read {path.name} as TFLite"):
        model = files.read_model(str(path))
    if custom := _custom(model, source):
        more = f" and {len(custom) - _NAMED} more" if len(custom) > _NAMED else ""
        raise ConversionFailed(
            f"the model uses {', '.join(custom[:_NAMED])}{more}, which {CONVERTER} cannot express in TFLite's operators",
            REMEDY,
        )
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    flat = Flat(schema, model, model.subgraphs[0], kinds)
    _require_whole(flat)
    return flat


def _require_whole(flat: Flat) -> None:
    """onnx2tf fuses an activation even into a layer whose own result is an output too, and then nobody makes that."""
    made = {int(index) for operator in flat.graph.operators for index in operator.outputs}
    for index in {int(i) for i in flat.graph.outputs} - made - {int(i) for i in flat.graph.inputs}:
        tensor = flat.graph.tensors[index]
        if flat.model.buffers[tensor.buffer].data is None:
            raise ConversionFailed(f"{CONVERTER} lost the output {tensor.name.decode()}", REMEDY)


def written(flat: Flat) -> bytes:
    """The file."""
    files = needed("ai_edge_litert.tools.flatbuffer_utils", "litert", "TFLite from ONNX")
    return bytes(files.convert_object_to_bytearray(flat.model))


def kind_of(flat: Flat, operator: "OperatorT") -> str:
    """The schema's word, CONV_2D."""
    code = flat.model.operatorCodes[operator.opcodeIndex]
    return flat.kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")


def code_of(flat: Flat, kind: int) -> int:
    """Its place in the table of operators, to which it is added if it is not there."""
    codes = flat.model.operatorCodes
    for position, code in enumerate(codes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == kind:
            return position
    code = flat.schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    codes.append(code)
    return len(codes) - 1


def _custom(model: "ModelT", source: Path) -> list[str]:
    """Operator type and name of the nodes that became custom operators; the output's name for a node without one."""
    nodes = read_onnx(source, weights=False).graph.node
    names = {output: node.name or output for node in nodes for output in node.output}
    graph, found = model.subgraphs[0], []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            output = graph.tensors[operator.outputs[0]].name.decode() if len(operator.outputs) else ""
            kind, name = _onnx_name(code.customCode.decode()), names.get(output, output)
            found.append(f"{kind} ({name})" if name else kind)
    return found


def _onnx_name(custom: str) -> str:
    """onnx2tf writes what it cannot express as ONNX_SEQUENCEEMPTY, say, which no runtime has."""
    from onnx.defs import get_all_schemas

    loud = custom.removeprefix("ONNX_")
    return next((schema.name for schema in get_all_schemas() if schema.name.upper() == loud), custom)
