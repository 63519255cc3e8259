"""Where things stand in a bundle, and which paths may be written to a disk at all. No I/O."""

import re
from pathlib import PurePosixPath

from edgeq.application import RUNTIME

MANIFEST = "manifest.json"
SIDECAR = "beside/"
FIDELITY = "fidelity.json"
TOOLS = "tools.json"
LABELS = "check/labels.npy"

# Letters, digits, dot, underscore, hyphen and plus: the same on every file system, in a shell and in a URL.
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}\Z")


def model_path(candidate: str, suffix: str) -> str:
    """`suffix` is that of the file: ".onnx" or ".tflite"."""
    return f"candidates/{candidate}/model{suffix}"


def contract_path(candidate: str) -> str:
    return f"candidates/{candidate}/contract.json"


def runtime_path(candidate: str) -> str:
    """Of the module that loads the candidate on a device (edgeq/application/edgeq_runtime.py)."""
    return f"candidates/{candidate}/{RUNTIME}"


def check_input(index: int) -> str:
    return f"check/inputs/{index}.npy"


def check_output(candidate: str, index: int) -> str:
    return f"check/outputs/{candidate}/{index}.npy"


def why_unsafe(path: str) -> str | None:
    """Why this path must not be extracted, None when it may be."""
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if re.match(r"[A-Za-z]:", path):
        return "has a drive letter"
    if ".." in PurePosixPath(path).parts:
        return "climbs out of its folder"
    if not all(is_safe_name(part) for part in path.split("/")):
        return (
            "has a part that is not a plain name (letters, digits, . _ + -; not starting with one of these)"
        )
    return None


def is_safe_name(name: str) -> bool:
    """Whether `name` can be one file or folder name: of an app, a candidate, an artifact."""
    return _PART.match(name) is not None
