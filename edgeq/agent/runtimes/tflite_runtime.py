"""TFLite files in tflite-runtime, for devices that ai-edge-litert has no wheels for (32-bit ARM, older Pythons)."""

from collections.abc import Sequence

from . import Session
from ._interpreter import open_with


def version() -> str:
    from importlib.metadata import version as installed

    from tflite_runtime import interpreter  # noqa: F401  (what is asked for is a version that loads)

    return installed("tflite-runtime")


def open_session(path: str, threads: int, inputs: Sequence[str], outputs: Sequence[str]) -> Session:
    from tflite_runtime.interpreter import Interpreter

    return open_with(Interpreter(model_path=path, num_threads=threads), inputs, outputs)
