"""Runs a .tflite on arrays: `python run_apart.py MODEL INPUTS.npz OUTPUTS.npz`, arrays in the graph's order.

A process of its own, because the runtime may end the process on a file that is sound in form and wrong in content.
"""

import sys
from pathlib import Path

import numpy as np


def main(model: str, inputs: str, outputs: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=Path(model).read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    with np.load(inputs) as arrays:
        for position, detail in enumerate(interpreter.get_input_details()):
            array = arrays[f"arr_{position}"]
            interpreter.set_tensor(
                detail["index"], array.astype(detail["dtype"])
            )  # int64 may have become int32
    interpreter.invoke()
    np.savez(outputs, *(interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()))


if __name__ == "__main__":
    main(*sys.argv[1:])
