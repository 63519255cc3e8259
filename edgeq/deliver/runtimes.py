"""Which runtimes a device can have for a model: wheels for it on the host, or what this machine has installed."""

import importlib.util
from collections.abc import Collection

from packaging.version import Version

from edgeq.conversion import formats
from edgeq.conversion.cache import folder
from edgeq.deliver import preflight
from edgeq.deliver.provision import resolve
from edgeq.deliver.session import Session, session
from edgeq.errors import DeviceUnfit
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.delivery import WheelSet
from edgeq.nouns.device import Facts
from edgeq.nouns.target import FORMATS, Target
from edgeq.request.login import Login
from edgeq.request.tell import Tell, silence

_MODULE = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
_EXTRA = {"litert": "edgeq[litert]", "tflite-runtime": "tflite-runtime"}


def for_source(
    device: Session, model: str, runtime: str | None, tell: Tell
) -> tuple[tuple[WheelSet, ...], dict[str, str]]:
    """What `model` could run on there, the first of the target's runtimes for each format, and the runtimes that it
    cannot run on, with the reason.
    """
    possible = formats.producible(model, device.target, runtime)
    wanted = [
        r.name for r in device.target.runtimes if runtime in (None, r.name) and FORMATS[r.name] in possible
    ]
    return _resolve(device, wanted, tell, one_per_format=True)


def for_bundle(device: Session, manifest: Manifest, tell: Tell) -> tuple[WheelSet, ...]:
    """What a finished bundle needs."""
    return _resolve(device, list(dict.fromkeys(c.runtime for c in manifest.candidates)), tell)[0]


def this_machine(target: Target, model: str, runtime: str | None) -> tuple[Target, dict[str, str]]:
    """Target `local` with what this machine is, and the runtimes that are not installed here."""
    with session(target, Login(), root=None, look_only=True, tell=silence) as device:
        return device.target, for_source(device, model, runtime, silence)[1]


def too_old(facts: Facts, label: str, sets: tuple[WheelSet, ...], manifest: Manifest) -> dict[str, str]:
    """Candidates that the runtime which the device can have is too old to read, with the reason.

    Raises DeviceUnfit when none is left.
    """
    have = {s.runtime: Version(s.version) for s in sets}
    reasons = {
        c.id: f"its file needs {c.runtime} {c.min_runtime} or newer; the newest for Python "
        f"{facts.python} on {facts.arch} is {have[c.runtime]}"
        for c in manifest.candidates
        if c.min_runtime is not None and c.runtime in have and have[c.runtime] < Version(c.min_runtime)
    }
    if len(reasons) == len(manifest.candidates):
        raise DeviceUnfit(
            f"{label} cannot have a runtime that reads this model",
            "export the model with an older opset (onnxruntime 1.19 reads up to 21), or use a system with a newer "
            "Python. Nothing was sent.",
            details=[f"{id}: {reason}" for id, reason in reasons.items()],
        )
    return reasons


def used(
    sets: tuple[WheelSet, ...], manifest: Manifest, without: Collection[str] = ()
) -> tuple[WheelSet, ...]:
    """Only what the candidates of this bundle run on: nothing is sent for one that was not made, or is in `without`."""
    needed = {c.runtime for c in manifest.candidates if c.id not in without}
    return tuple(s for s in sets if s.runtime in needed)


def _resolve(
    device: Session, wanted: list[str], tell: Tell, *, one_per_format: bool = False
) -> tuple[tuple[WheelSet, ...], dict[str, str]]:
    if device.local:
        return (), {name: why for name in wanted if (why := why_not_here(name))}
    preflight.require_libraries(device.facts, device.label)
    sets: list[WheelSet] = []
    unavailable: dict[str, str] = {}
    failures: list[DeviceUnfit] = []
    for name in wanted:
        if one_per_format and FORMATS[name] in {FORMATS[s.runtime] for s in sets}:
            continue
        try:
            sets.append(resolve(name, device.facts, device.target, cache=folder() / "wheels", tell=tell))
        except DeviceUnfit as error:
            failures.append(error)
            unavailable[name] = error.what
    if failures and not sets:
        raise failures[0]
    return tuple(sets), unavailable


def why_not_here(runtime: str) -> str | None:
    """Why this machine cannot run `runtime`; None where it is installed."""
    if importlib.util.find_spec(_MODULE[runtime]) is not None:
        return None
    return f"not installed here: pip install '{_EXTRA.get(runtime, runtime)}'"
