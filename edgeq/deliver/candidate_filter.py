"""Which candidates of a bundle do not go to a device, and why: decided from facts, before anything is sent."""

import os
import shlex
from collections.abc import Mapping
from types import MappingProxyType

from edgeq.deliver import preflight
from edgeq.deliver.runtimes import too_old
from edgeq.deliver.session import Session, no_agent
from edgeq.errors import DeviceUnfit
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.delivery import WheelSet
from edgeq.nouns.target import Target
from edgeq.request.conversion_options import ConversionOptions
from edgeq.request.finished_bundle import excluded_by_options
from edgeq.request.paths import is_path
from edgeq.request.requests import DeployRequest


def candidates_left_out(
    device: Session,
    wheels: tuple[WheelSet, ...],
    manifest: Manifest,
    options: ConversionOptions,
    live: str | None,
    without: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Reason by candidate, for those that are not in `without`, which are left out already. Raises DeviceUnfit or NoSpace when none is left
    to go.
    """
    able = tuple(c for c in manifest.candidates if c.id not in without)
    old = too_old(device.facts, device.label, wheels, manifest)
    reasons = {id: why for id, why in old.items() if id not in without}
    preflight.require_memory(
        device.facts,
        device.label,
        predicted_peak=min((c.memory_bytes or 0 for c in able), default=0),
        live=live,
    )
    for candidate in able:
        reason = excluded_by_options(candidate, options) or preflight.lacks_memory(
            device.facts, candidate.memory_bytes or 0
        )
        if reason:
            reasons.setdefault(candidate.id, reason)
    if len(reasons) == len(able):
        raise DeviceUnfit(
            f"no candidate of {manifest.name} can run on {device.label}",
            "convert with another --recipe or --runtime, or free memory on the device. Nothing was sent.",
            details=[f"{id}: {reason}" for id, reason in {**reasons, **without}.items()],
            live=live,
        )
    return reasons


def require_agent(target: Target, request: DeployRequest) -> None:
    """Raises TargetRefused for a kind of device on which no agent runs, with the command that makes the files for its
    applications.
    """
    if target.os != "android":
        return
    model = os.fspath(request.model) if request.model is not None else "MODEL"
    given = [(name, getattr(request, name)) for name in ("weights", "data", "preprocess")]
    words = [word for name, value in given if is_path(value) for word in (f"--{name}", os.fspath(value))]
    command = shlex.join(
        ["edgeq", "export", model, *words, "--target", str(request.kind), "-o", "model.tflite"]
    )
    raise no_agent(target, command)
