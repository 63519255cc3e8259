"""doctor(): looks at this machine and at a device, and says what to do about what it finds. Changes nothing."""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator

from edgeq import __version__, catalog
from edgeq.conversion.cache import folder
from edgeq.deliver.device_findings import device_findings
from edgeq.deliver.session import session
from edgeq.errors import EdgeqError
from edgeq.nouns.diagnosis import NOTE, OK, PROBLEM, Diagnosis, Finding
from edgeq.request.login import Login
from edgeq.request.requests import DoctorRequest
from edgeq.request.takes import takes

_HERE = "this machine"
_EXTRAS = {
    "torch": ("torch models", "pip install 'edgeq[torch]', with PyTorch's CPU build"),
    "litert_torch": ("torch models to .tflite", "pip install 'edgeq[android]', with PyTorch's CPU build"),
    "ai_edge_litert": ("running .tflite models", "pip install 'edgeq[litert]'"),
    "litert_quantizer": ("quantizing to .tflite", "pip install 'edgeq[litert]'"),
}


@takes(DoctorRequest)
def doctor(asked: DoctorRequest) -> Diagnosis:
    """Findings about this host, then about the device where `host` names one."""
    findings = list(_host())
    kind, login = catalog.target(asked.kind), asked.login or Login()
    if login.host is None:
        return Diagnosis(tuple(findings))
    # Without a named target any device is welcome: it is looked at as it is.
    looked_at = catalog.target("local") if kind.detect else kind
    try:
        with session(looked_at, login, root=asked.root, look_only=True, tell=asked.tell) as device:
            findings += device_findings(device, looked_at)
    except EdgeqError as error:
        remedy = error.remedy and error.remedy.removesuffix("Nothing was sent.").rstrip()
        findings.append(Finding(login.host, PROBLEM, error.what, remedy))
    return Diagnosis(tuple(findings))


def _host() -> Iterator[Finding]:
    yield Finding(_HERE, OK, f"edgeq {__version__} on Python {sys.version.split()[0]}")
    for package in ("onnx", "onnxruntime"):
        yield Finding(_HERE, OK, f"{package} {importlib.metadata.version(package)}")
    if importlib.util.find_spec("pip") is None:
        yield Finding(
            _HERE,
            PROBLEM,
            "pip is missing: no runtime can be fetched for a device",
            f"{sys.executable} -m ensurepip",
        )
    for module, (use, remedy) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        yield Finding(
            _HERE,
            OK if there else NOTE,
            f"{use}: {'yes' if there else 'not installed'}",
            None if there else remedy,
        )
    yield _onnx_to_tflite()
    cache = folder()
    ground = next(p for p in (cache, *cache.parents) if p.exists())
    if not os.access(ground, os.W_OK):
        yield Finding(
            _HERE, PROBLEM, f"the cache {cache} cannot be written", "set XDG_CACHE_HOME to a folder of yours"
        )


def _onnx_to_tflite() -> Finding:
    from edgeq.ingest import onnx_to_tflite
    from edgeq.ingest.onnx_to_tflite.find_python import find_python

    use = "ONNX models to .tflite"
    if onnx_to_tflite.ready(folder()):
        return Finding(_HERE, OK, f"{use}: {onnx_to_tflite.CONVERTER}")
    try:
        python = find_python()
    except EdgeqError as error:
        return Finding(_HERE, NOTE, f"{use}: {error.what}", error.remedy)
    return Finding(_HERE, OK, f"{use}: {onnx_to_tflite.CONVERTER}, fetched when needed for {python.path}")
