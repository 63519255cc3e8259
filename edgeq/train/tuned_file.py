"""The file that a training writes: the float model's own state_dict, and beside it the trained network.

The network is the QDQ file itself, so what is deployed is what was trained, whatever version of edgeq or torch reads it. It is
written by torch.save and read with weights_only: tensors and plain values, nothing is executed.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from edgeq.errors import EdgeqError, ModelRefused
from edgeq.nouns.training import Training

if TYPE_CHECKING:
    from onnx import ModelProto

_KEY, _FORMAT = "edgeq", 1
_REMEDY = "write it again: edgeq finetune"


@dataclass(frozen=True)
class Tuned:
    """`model`: the bytes of the QDQ file."""

    model: bytes
    training: Training


def write_tuned(
    path: Path, state_dict: Mapping[str, Tensor], model: "ModelProto", training: Training
) -> None:
    """Replaces `path` in one step. Raises EdgeqError where it cannot be written."""
    stored = np.frombuffer(model.SerializeToString(), np.uint8).copy()
    document = {
        **state_dict,
        _KEY: {
            "format": _FORMAT,
            "model": torch.from_numpy(stored),
            "sha256": hashlib.sha256(stored.tobytes()).hexdigest(),
            "training": training.to_dict(),
        },
    }
    save_atomically(document, path)


def read_tuned(path: Path) -> Tuned | None:
    """None for weights that hold no trained network, or another kind of file. Raises ModelRefused for a damaged one."""
    found = load_plain(path)
    entry = found.get(_KEY) if isinstance(found, Mapping) else None
    if not isinstance(entry, Mapping):
        return None
    if entry.get("format") != _FORMAT:
        raise ModelRefused(
            f"{path} was trained by another version of edgeq (format {entry.get('format')!r}, this one reads {_FORMAT})",
            _REMEDY,
        )
    model = entry.get("model")
    if not isinstance(model, Tensor) or model.dtype != torch.uint8 or not _is_stored(model):
        raise ModelRefused(f"{path} holds no trained network: its bytes are missing", _REMEDY)
    content = model.numpy().tobytes()
    if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
        raise ModelRefused(f"{path} is damaged: its trained network is not what was written", _REMEDY)
    try:
        training = Training.from_dict(_jsonlike(entry.get("training")))
    except ValueError as error:
        raise ModelRefused(f"{path} is damaged: {error}", _REMEDY) from None
    return Tuned(content, training)


def _is_stored(tensor: Tensor) -> bool:
    """Whether its bytes are there, one each: a few bytes can declare a tensor of any size."""
    held = tensor.untyped_storage().nbytes()
    return bool(tensor.ndim == 1 and tensor.is_contiguous() and held >= tensor.numel())


def load_plain(path: Path) -> Any:
    """Tensors and plain values; None for what torch.load does not read as such."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except (
        Exception
    ):  # UnpicklingError, RuntimeError, EOFError ...: whoever reads it as weights says what is wrong
        return None


def save_atomically(document: object, path: Path) -> None:
    """Raises EdgeqError where it cannot be written; `path` is then what it was."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with beside.open("wb") as file:
            torch.save(document, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the disk is full"
        raise EdgeqError(
            f"cannot write {path}: {reason}", "free space there, or choose another path with -o"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _jsonlike(value: object) -> object:
    """What weights_only leaves of tuples and lists, as JSON has it."""
    if isinstance(value, Mapping):
        return {str(k): _jsonlike(v) for k, v in value.items()}
    return [_jsonlike(v) for v in value] if isinstance(value, (list, tuple)) else value
