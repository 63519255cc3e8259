"""Which runtimes a device can have for a model: wheels for it on the host, or what this machine has installed."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from edgeq.deliver.provision import WheelSet, resolve
from edgeq.errors import DeviceUnfit
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.progress import Note
from edgeq.nouns.target import Target
from edgeq.workflow.cached import folder
from edgeq.workflow.session import Login, Session, session
from edgeq.workflow.tell import Tell, silence

FORMAT = {"onnxruntime": "onnx", "litert": "tflite", "tflite-runtime": "tflite"}
_MODULE = {"onnxruntime": "onnxruntime", "litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
_EXTRA = {"litert": "edgeq[litert]", "tflite-runtime": "tflite-runtime"}


def for_source(
    device: Session, model: str, runtime: str | None, tell: Tell
) -> tuple[tuple[WheelSet, ...], dict[str, str]]:
    """What `model` could run on there, and the runtimes of the target that it cannot, with the reason."""
    wanted = [
        r.name
        for r in device.target.runtimes
        if runtime in (None, r.name) and FORMAT[r.name] in possible_formats(model)
    ]
    return _resolve(device, wanted, tell)


def for_bundle(
    device: Session, manifest: Manifest, tell: Tell
) -> tuple[tuple[WheelSet, ...], dict[str, str]]:
    """What a finished bundle needs."""
    return _resolve(device, dict.fromkeys(c.runtime for c in manifest.candidates), tell)


def this_machine(target: Target, model: str, runtime: str | None) -> tuple[Target, dict[str, str]]:
    """Target `local` with what this machine is, and the runtimes that are not installed here."""
    with session(target, Login(), root=None, look_only=True, tell=silence) as device:
        return device.target, for_source(device, model, runtime, silence)[1]


def used(sets: tuple[WheelSet, ...], manifest: Manifest) -> tuple[WheelSet, ...]:
    """Only what the candidates of this bundle run on: nothing is sent for a candidate that was not made."""
    return tuple(s for s in sets if any(c.runtime == s.runtime for c in manifest.candidates))


def possible_formats(model: str) -> tuple[str, ...]:
    """The graph formats that a source can be brought into, by its kind."""
    suffix = Path(model.partition(":")[0]).suffix
    return {".onnx": ("onnx",), ".tflite": ("tflite",)}.get(suffix, ("onnx", "tflite"))


def _resolve(
    device: Session, wanted: Iterable[str], tell: Tell
) -> tuple[tuple[WheelSet, ...], dict[str, str]]:
    wanted = list(wanted)
    if device.local:
        return (), {
            name: f"not installed here: pip install '{_EXTRA[name]}'" for name in wanted if not _here(name)
        }
    sets: list[WheelSet] = []
    unavailable: dict[str, str] = {}
    failures: list[DeviceUnfit] = []
    for name in wanted:
        try:
            sets.append(
                resolve(
                    name,
                    device.facts,
                    device.target,
                    cache=folder() / "wheels",
                    on_note=lambda text: tell(Note(text)),
                )
            )
        except DeviceUnfit as error:
            failures.append(error)
            unavailable[name] = error.what
    if failures and not sets:
        raise failures[0]
    return tuple(sets), unavailable


def _here(runtime: str) -> bool:
    return importlib.util.find_spec(_MODULE[runtime]) is not None
