"""TFLite files in Google's ai-edge-litert, by its classic interpreter."""

from collections.abc import Sequence

from . import Session
from ._interpreter import open_with


def version() -> str:
    from importlib.metadata import version as installed

    from ai_edge_litert import interpreter  # noqa: F401  (what is asked for is a version that loads)

    return installed("ai-edge-litert")


def open_session(path: str, threads: int, inputs: Sequence[str], outputs: Sequence[str]) -> Session:
    from ai_edge_litert.interpreter import Interpreter

    return open_with(Interpreter(model_path=path, num_threads=threads), inputs, outputs)
