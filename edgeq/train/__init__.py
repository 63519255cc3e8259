"""Quantization-aware training: the torch side (`pip install edgeq[train]`). It knows no device and no request, and nothing of the
core imports it when it is loaded. `edgeq.train.prepare` is for a training loop of your own (docs/training.md).
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`prepare` opens models, so it is above this package, and is imported when it is used."""
    if name == "prepare":
        return import_module("edgeq.workflow.prepare").prepare
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
