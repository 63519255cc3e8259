"""doctor(): looks at this machine and at a device, and says what to do about what it finds. Changes nothing."""

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator

from edgeq import __version__, catalog
from edgeq.conversion.cache import folder
from edgeq.deliver.fitness import missing_isa
from edgeq.deliver.session import Session, session
from edgeq.errors import EdgeqError
from edgeq.nouns.device import Conditions
from edgeq.nouns.diagnosis import NOTE, OK, PROBLEM, Diagnosis, Finding
from edgeq.nouns.repairs import counted
from edgeq.nouns.target import Target
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
_LITTLE_DISK = 500_000_000
_LITTLE_MEMORY = 200_000_000


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
            findings += _device(device, looked_at)
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


def _device(device: Session, target: Target) -> Iterator[Finding]:
    facts, where = device.facts, device.label
    yield Finding(
        where,
        OK,
        f"{facts.board}, {facts.cpu_model}, {facts.os}, Python {facts.python}, {facts.libc}, {facts.arch}",
    )
    if device.link.transport.route:
        yield Finding(where, OK, f"reached by {device.link.transport.route}")
    if facts.emulated:
        yield Finding(
            where,
            NOTE,
            f"emulated ({facts.emulated}): timings are not representative",
            "measure on the board itself",
        )
    if not facts.root_writable:
        yield Finding(
            where,
            PROBLEM,
            f"{facts.user} cannot write {facts.root}",
            "give --root a folder that the login may write",
        )
    if facts.root_free < _LITTLE_DISK:
        yield Finding(
            where,
            NOTE,
            f"{facts.root_free / 1e6:.0f} MB free on {facts.root}",
            "a runtime takes about 250 MB: free space, or --root on another disk",
        )
    if 0 < facts.memory_available < _LITTLE_MEMORY:
        yield Finding(
            where,
            NOTE,
            f"{facts.memory_available / 1e6:.0f} MB of memory available",
            "stop what is not needed there",
        )
    lacking = missing_isa(facts, target)
    if lacking:
        yield Finding(
            where,
            NOTE,
            f"lacks {', '.join(lacking)} of target {target.name}",
            "`edgeq targets` lists the kinds of device",
        )
    if facts.systemd is None:
        yield Finding(
            where,
            NOTE,
            "systemd is not running there: no periodic measurements",
            "deployments work without it",
        )
    if device.installed:
        yield from _conditions(device)
    else:
        yield Finding(where, NOTE, "edgeq is not installed there yet", "`edgeq deploy` brings what it needs")


def _conditions(device: Session) -> Iterator[Finding]:
    now: Conditions = device.link.call("probe")
    slow = sorted({g for g in now.governor.values() if g in ("powersave", "conservative")})
    if slow:
        yield Finding(
            device.label,
            NOTE,
            f"CPU governor {', '.join(slow)}: figures depend on the load before",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    if now.throttled:
        yield Finding(
            device.label,
            NOTE,
            f"the firmware reports throttling or under-voltage (bits {now.throttled:#x})",
            "a stronger power supply, a heat sink; then reboot",
        )
    status = device.status()
    yield Finding(
        device.label,
        OK,
        f"edgeq is there: {counted(len(status.apps), 'model')}, {status.root_used / 1e6:.0f} MB in {status.root}",
    )
    if status.lock:
        yield Finding(device.label, NOTE, f"busy: {status.lock}", "the lock expires by itself")
