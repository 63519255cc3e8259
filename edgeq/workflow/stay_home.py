"""Which candidates of a bundle do not go to a device, and why: decided from facts, before anything is sent."""

import os
import shlex
from pathlib import Path

from edgeq.deliver import fitness
from edgeq.errors import BundleRefused, DeviceUnfit
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.delivery import WheelSet
from edgeq.nouns.target import Target
from edgeq.workflow.paths import is_path
from edgeq.workflow.requests import ConversionOptions, DeployRequest
from edgeq.workflow.runtimes import too_old
from edgeq.workflow.session import Session, no_agent


def stay_home(
    device: Session,
    sets: tuple[WheelSet, ...],
    manifest: Manifest,
    options: ConversionOptions,
    live: str | None,
) -> dict[str, str]:
    """Reason by candidate. Raises DeviceUnfit or NoSpace when none is left to go."""
    reasons = too_old(device.facts, device.label, sets, manifest)
    fitness.require_memory(
        device.facts,
        device.label,
        predicted_peak=min((c.memory_bytes or 0 for c in manifest.candidates), default=0),
        live=live,
    )
    for candidate in manifest.candidates:
        reason = not_asked_for(candidate, options) or fitness.too_hungry(
            device.facts, candidate.memory_bytes or 0
        )
        if reason:
            reasons.setdefault(candidate.id, reason)
    if len(reasons) == len(manifest.candidates):
        raise DeviceUnfit(
            f"no candidate of {manifest.name} can run on {device.label}",
            "convert with another --recipe or --runtime, or free memory on the device. Nothing was sent.",
            details=[f"{id}: {reason}" for id, reason in reasons.items()],
            live=live,
        )
    return reasons


def require_agent(target: Target, asked: DeployRequest) -> None:
    """Raises TargetRefused for a kind of device on which no agent runs, with the command that makes the files for its
    applications.
    """
    if target.os != "android":
        return
    model = os.fspath(asked.model) if asked.model is not None else "MODEL"
    given = [(name, getattr(asked, name)) for name in ("weights", "data", "preprocess")]
    words = [word for name, value in given if is_path(value) for word in (f"--{name}", os.fspath(value))]
    command = shlex.join(
        ["edgeq", "export", model, *words, "--target", str(asked.kind), "-o", "model.tflite"]
    )
    raise no_agent(target, command)


def require_made_for(manifest: Manifest, target: Target, verb: str) -> None:
    """A finished bundle is for the kind of device that it was made for: the scheme follows from its CPU. `verb`: what was to be
    done with it, deploy or export.

    Raises BundleRefused.
    """
    if manifest.target != target.name:
        raise BundleRefused(
            f"this bundle was made for target {manifest.target}, not {target.name}",
            f"{verb} it with --target {manifest.target}, or convert again with --target {target.name}. "
            "Nothing was written or sent.",
        )


def require_nothing_decided(
    bundle: Path, options: ConversionOptions, *, also: tuple[str, ...] = (), sends: bool = True
) -> None:
    """A finished bundle is what it was made as: of the options that convert() takes, only those that choose among its
    candidates mean anything, and of these not those that `also` names. `sends`: the command brings it to a device.

    Raises BundleRefused, which names the options that have no effect and were given.
    """
    given = [name for name in (*_DECIDED, *also) if getattr(options, name) not in (None, "", {})]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise BundleRefused(
            f"{bundle} is a finished bundle: {flags} {'has' if len(given) == 1 else 'have'} no effect on it",
            f"leave out {flags}, or convert the model again.{' Nothing was sent.' if sends else ''}",
        )


_DECIDED = (
    "data",
    "preprocess",
    "weights",
    "shape",
    "calibrate",
    "calibrator",
    "passes",
    "search_tries",
    "integer_io",
    "states",
    "max_drop",
    "confidence",
    "min_agreement",
    "min_sqnr",
    "metric",
    "ignore_labels",
)


def not_asked_for(candidate: Candidate, options: ConversionOptions) -> str | None:
    """Why `candidate` is none that --recipe or --runtime chose; None where nothing speaks against it."""
    recipe, runtime = options.recipe, options.runtime
    if runtime not in (None, candidate.runtime):
        return f"--runtime {runtime} was asked for"
    if recipe is not None and candidate.recipe not in (recipe, "float"):
        return f"--recipe {recipe} was asked for"
    return None
