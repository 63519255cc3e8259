"""What a TFLite file is, as JSON on stdout: `python tflite_inspect.py FILE`.

Run as a process of its own, because the runtime may end the process on a file that is sound in form and wrong in content.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

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


def main(path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate the graph's own operators are seen, not the delegate's one node.
    interpreter = Interpreter(
        model_content=path.read_bytes(),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    found = {
        "inputs": [_tensor(d) for d in interpreter.get_input_details()],
        "outputs": [_tensor(d) for d in interpreter.get_output_details()],
        "quantized": quantized_words(interpreter),
    }
    sys.stdout.write(json.dumps(found))


def quantized_words(interpreter: Any) -> str | None:
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


def _tensor(detail: Any) -> dict[str, Any]:
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
