"""Inspects a TFLite file; a file of an old schema is rewritten.

Runs in the limited child, because the runtime may end the process on a file that is sound in form and wrong in content.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeq.errors import ModelRefused
from edgeq.graphs.tflite_session import open_interpreter
from edgeq.limited.reader import Reader

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

READER = Reader("edgeq.ingest.tflite_inspect:inspect", ModelRefused, "the model", "convert the model again")

# The operators that hold a network's work, with the positions of activation and weights among their inputs.
_HEAVY = {
    "CONV_2D": (0, 1),
    "DEPTHWISE_CONV_2D": (0, 1),
    "CONV_3D": (0, 1),
    "TRANSPOSE_CONV": (2, 1),
    "FULLY_CONNECTED": (0, 1),
    "BATCH_MATMUL": (0, 1),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (0, 2),
}


# Operators that draw random numbers.
_DRAW = ("MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM")
_REPEATS = 8  # runs that show whether what is drawn reaches an output


def prepare() -> None:
    import ai_edge_litert.interpreter  # noqa: F401


def inspect(path: str, renewed: str) -> dict[str, object]:
    """{"inputs", "outputs", "quantized", "draws", "renewed"}, of a graph that ran on zeros; a file of an old schema is written
    to `renewed` in the current one. Raises ModelRefused in the runtime's words.
    """
    try:
        return _inspected(Path(path), Path(renewed))
    except MemoryError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelRefused(
            f"the TFLite runtime does not take {path}: {words}",
            "a truncated file has to be copied again; custom and Flex operators have to be left out when converting",
        ) from None


def _inspected(path: Path, renewed: Path) -> dict[str, object]:
    # Without the delegate the graph's own operators are seen, not the delegate's one node.
    interpreter = open_interpreter(path.read_bytes(), threads=1, delegates=False)
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    return {
        "inputs": [_tensor(d) for d in interpreter.get_input_details()],
        "outputs": [_tensor(d) for d in interpreter.get_output_details()],
        "quantized": quantized_words(interpreter),
        "draws": _drawing(interpreter),
        "renewed": _renew(path, renewed),
    }


def quantized_words(interpreter: "Interpreter") -> str | None:
    """ "int8 TFLite", "uint8 TFLite", "int8 weights only TFLite", or None for a float graph."""
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    kinds: Counter[tuple[str, str]] = Counter()
    for op in interpreter._get_ops_details():
        if op["op_name"] in _HEAVY:
            pair = [tensors.get(int(op["inputs"][at])) for at in _HEAVY[op["op_name"]]]
            if None not in pair:
                kinds[_dtype(pair[0]), _dtype(pair[1])] += 1
    integer = Counter({k: n for k, n in kinds.items() if k[1] not in ("float32", "float16")})
    if not integer:
        return None
    activation, weights = integer.most_common(1)[0][0]
    return f"{weights} weights only TFLite" if activation.startswith("float") else f"{activation} TFLite"


def _drawing(interpreter: "Interpreter") -> list[str]:
    """The operators that draw random numbers, where another run on the same input gives others."""
    kinds = {op["op_name"] for op in interpreter._get_ops_details()}
    drawing = sorted(kinds.intersection(_DRAW))
    if not drawing:
        return []
    first = _run(interpreter)
    return drawing if any(_run(interpreter) != first for _ in range(_REPEATS)) else []


def _run(interpreter: "Interpreter") -> list[bytes]:
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]).tobytes() for d in interpreter.get_output_details()]


def _renew(path: Path, renewed: Path) -> bool:
    """Writes each operator's code where it stands since schema 3a, if it stands only in the field of one byte that was used
    before (`deprecated_builtin_code`); libraries read one or the other. Whether there was such an operator.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    content = path.read_bytes()
    table = schema.Model.GetRootAs(content, 0)
    codes = [table.OperatorCodes(i) for i in range(table.OperatorCodesLength())]
    if all(code.BuiltinCode() >= code.DeprecatedBuiltinCode() for code in codes):
        return False
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
    for buffer in model.buffers:
        if buffer.data is not None:  # what is no array is packed byte by byte
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
    renewed.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    return True


def _tensor(detail: Mapping[str, Any]) -> dict[str, object]:
    scale, zero_point = detail["quantization"]
    return {
        "name": detail["name"],
        "dtype": _dtype(detail),
        "shape": [int(d) for d in detail["shape"]],
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def _dtype(detail: Any) -> str:
    return str(np.dtype(detail["dtype"]).name)
