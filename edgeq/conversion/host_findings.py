"""What this machine has for conversions, and what it lacks, with remedies."""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator

from edgeq import __version__
from edgeq.conversion.cache import folder
from edgeq.errors import EdgeqError
from edgeq.nouns.diagnosis import Finding, note, ok, problem

_HOST = "this machine"
_EXTRAS = {
    "torch": ("torch models", "pip install 'edgeq[torch]', with PyTorch's CPU build"),
    "litert_torch": ("torch models to .tflite", "pip install 'edgeq[android]', with PyTorch's CPU build"),
    "ai_edge_litert": ("running .tflite models", "pip install 'edgeq[litert]'"),
    "litert_quantizer": ("quantizing to .tflite", "pip install 'edgeq[litert]'"),
}


def host_findings() -> Iterator[Finding]:
    yield ok(_HOST, f"edgeq {__version__} on Python {sys.version.split()[0]}")
    for package in ("onnx", "onnxruntime"):
        yield ok(_HOST, f"{package} {importlib.metadata.version(package)}")
    if importlib.util.find_spec("pip") is None:
        yield problem(
            _HOST, "pip is missing: no runtime can be fetched for a device", f"{sys.executable} -m ensurepip"
        )
    for module, (use, remedy) in _EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            yield ok(_HOST, f"{use}: yes")
        else:
            yield note(_HOST, f"{use}: not installed", remedy)
    yield _onnx_to_tflite()
    cache = folder()
    parent = next(p for p in (cache, *cache.parents) if p.exists())
    if not os.access(parent, os.W_OK):
        yield problem(
            _HOST, f"the cache {cache} cannot be written", "set XDG_CACHE_HOME to a folder of yours"
        )


def _onnx_to_tflite() -> Finding:
    from edgeq.ingest import onnx_to_tflite
    from edgeq.ingest.onnx_to_tflite.find_python import find_python

    use = "ONNX models to .tflite"
    if onnx_to_tflite.ready(folder()):
        return ok(_HOST, f"{use}: {onnx_to_tflite.CONVERTER}")
    try:
        python = find_python()
    except EdgeqError as error:
        return note(_HOST, f"{use}: {error.what}", error.remedy)
    return ok(_HOST, f"{use}: {onnx_to_tflite.CONVERTER}, fetched when needed for {python.path}")
