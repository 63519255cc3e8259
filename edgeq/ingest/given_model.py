"""A model that a Python program has in memory, instead of naming a file: a torch module or an ONNX ModelProto."""

import copy
import inspect
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.errors import ModelRefused

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

TAKES = (
    "a path (.onnx, .pt2, .tflite), a torch factory (net.py:build), a torch.nn.Module or an onnx.ModelProto"
)
_MOST_BYTES = 2**31 - 1  # of one protobuf message
_IN_PARTS = "save it with onnx.save(model, path, save_as_external_data=True) and give the path"


@dataclass(frozen=True, eq=False)
class GivenModel(os.PathLike[str]):
    """`source` replaces it where a source is named: the class of a module, or the file that a ModelProto was
    written to. `name` is what it is called unless somebody says, `inputs` are their names, `words` describe it.
    """

    source: str
    name: str
    inputs: tuple[str, ...]
    words: str
    module: "nn.Module | None" = None
    kept: tempfile.TemporaryDirectory[str] | None = (
        None  # the folder of the file, which goes with the last reference
    )

    def __fspath__(self) -> str:
        return self.source

    def __str__(self) -> str:
        return self.words


def given_model(value: object) -> GivenModel:
    """Raises TypeError for anything that is no model, ModelRefused for a model that cannot be used."""
    torch, onnx = (
        sys.modules.get("torch"),
        sys.modules.get("onnx"),
    )  # who has a model has imported its library
    if torch is not None and isinstance(value, torch.nn.Module):
        return _of_module(value)
    if onnx is not None and isinstance(value, onnx.ModelProto):
        return _of_proto(value)
    hint = ""
    if isinstance(value, dict):
        hint = ": these are weights; give the module that they were loaded into"
    elif isinstance(value, type):
        hint = f": give an instance, {value.__name__}(...)"
    raise TypeError(f"model takes {TAKES}; not {type(value).__name__}{hint}")


def _of_module(module: "nn.Module") -> GivenModel:
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    kind = type(module)
    if hasattr(
        module, "save_to_buffer"
    ):  # a torch.jit.ScriptModule: it has no Python that torch.export could trace
        raise ModelRefused(
            f"{kind.__name__} is TorchScript, which torch.export does not take",
            "give the torch.nn.Module that it was made from",
        )
    try:
        # In float32, as the samples are; float16 is the business of a candidate.
        own = copy.deepcopy(module).cpu().float().eval().requires_grad_(False)
    except Exception as error:  # whatever the module holds
        raise ModelRefused(
            f"the module {kind.__name__} cannot be copied: {type(error).__name__}: {error}",
            "edgeq leaves the module as it is and works on a copy; name a factory instead: net.py:build",
        ) from error
    parameters = inspect.signature(module.forward).parameters.values()
    inputs = tuple(p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    place = f"{kind.__module__}:{kind.__name__}"
    return GivenModel(place, safe_name(kind.__name__), inputs, f"{kind.__name__} (torch.nn.Module)", own)


def _of_proto(proto: "ModelProto") -> GivenModel:
    name = safe_name(proto.graph.name or "model")
    words = f"{name} (onnx.ModelProto)"
    outside = next((t.name for t in proto.graph.initializer if t.external_data), None)
    if outside is not None:
        raise ModelRefused(
            f"{words}: the values of {outside} are in another file, and the model does not say in which folder",
            "give the path of the .onnx file, or onnx.load(path), which reads them",
        )
    content = _serialized(proto, words)
    folder = tempfile.TemporaryDirectory(prefix="edgeq-model-")
    path = Path(folder.name) / f"{name}.onnx"
    path.write_bytes(content)
    stored = {t.name for t in proto.graph.initializer}
    inputs = tuple(i.name for i in proto.graph.input if i.name not in stored)
    return GivenModel(str(path), name, inputs, words, kept=folder)


def _serialized(proto: "ModelProto", words: str) -> bytes:
    too_large = ModelRefused(f"{words} has more than 2 GB, which no ONNX file holds by itself", _IN_PARTS)
    if sum(len(t.raw_data) for t in proto.graph.initializer) > _MOST_BYTES:
        raise too_large
    try:
        content: bytes = proto.SerializeToString(deterministic=True)
    except Exception as error:  # protobuf's own, another in each of its implementations
        if type(error).__name__ not in ("EncodeError", "ValueError"):
            raise
        raise too_large from error
    return content


def safe_name(text: str) -> str:
    """Of characters that may name a folder on the device."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-._+")[:128] or "model"
