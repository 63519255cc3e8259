"""How a model is called when nobody names it: it names the app on the device and the files of a conversion."""

import re
from pathlib import PurePath

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_SUFFIXES = (".py", ".onnx", ".pt2", ".tflite", ".edgeq")
_SAY_NOTHING = ("build", "create", "factory", "get_model", "load", "main", "make", "model", "net", "network")


def model_name(source: str) -> str:
    """Of characters that are safe in a path on the device: "models/resnet20.onnx" and "net.py:resnet20" are "resnet20";
    a factory whose name says nothing leaves it to its file or module: "net.py:build" and "pkg.net:build" are "net".
    """
    place, _, factory = source.rpartition(":") if ":" in source else (source, "", "")
    path = PurePath(place)
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name.rpartition(".")[2]
    says = factory if factory and factory.lower() not in _SAY_NOTHING else stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", says).strip("-.") or "model"


def require_model_name(text: str | None) -> str | None:
    """Raises ValueError for what may not name a folder on the device."""
    if text is not None and _NAME.fullmatch(text) is None:
        raise ValueError(
            f"{text!r} becomes a folder: letters, digits and . _ + - only, at most 128, beginning with a letter or digit"
        )
    return text
