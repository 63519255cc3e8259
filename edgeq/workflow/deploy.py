"""deploy(): from a model to measured numbers on a device, and the fastest faithful candidate live there."""

from pathlib import Path

from edgeq import catalog
from edgeq.bundle.own_runtime import has_own_runtime
from edgeq.conversion.finished import open_conversion
from edgeq.deliver import fitness, runtimes
from edgeq.deliver.apply import apply, unchanged
from edgeq.deliver.candidate_filter import require_agent
from edgeq.deliver.deploy_plan import plan_deployment, tell_plan
from edgeq.deliver.service.find import require_systemd
from edgeq.deliver.service.install import install
from edgeq.deliver.session import Session, live_in_errors, session_for
from edgeq.errors import BundleRefused
from edgeq.model_name import model_name
from edgeq.nouns.delivery import Destination, WheelSet
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion, Deployment
from edgeq.nouns.target import Target
from edgeq.request.finished_bundle import require_made_for, require_nothing_decided
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, DeployRequest
from edgeq.request.takes import keywords, takes
from edgeq.workflow.convert import convert


@takes(DeployRequest)
def deploy(asked: DeployRequest) -> Deployment:
    """Convert a model (or take a finished .edgeq bundle), bring it to a device, race its candidates there, and make the
    fastest that is faithful to float live.

    Raises every error of edgeq.errors; whatever is raised, what was live is live still.
    """
    kind, tell = catalog.target(asked.kind), asked.tell
    require_agent(kind, asked)
    finished = _finished(asked, kind)
    name = finished.bundle.manifest.name if finished else asked.name or model_name(text(asked.model) or "")
    with session_for(asked, look_only=True) as device:
        with live_in_errors(device, name, tell):
            _check_device(device, kind, asked)
            conversion, wheels = _conversion(device, finished, asked)
            plan = plan_deployment(device, conversion.bundle.manifest, wheels, asked)
            tell_plan(plan, tell)
        if asked.dry_run:
            if plan.service is not None:
                tell(install(plan.service, device, tell, dry_run=True))
            return unchanged(conversion, device, plan.before)
        return apply(plan, device, conversion, text(asked.store), tell)


def _finished(asked: DeployRequest, kind: Target) -> Conversion | None:
    """The conversion that the model names where it is a bundle already, made for this kind of device. A bundle carries its name:
    it is part of what its digest stands for. Raises BundleRefused.
    """
    model = text(asked.model) or ""
    if not model.endswith(".edgeq"):
        return None
    require_nothing_decided(Path(model), asked)
    conversion = open_conversion(Path(model), asked.tell)
    manifest = conversion.bundle.manifest
    require_made_for(manifest, kind, "deploy")
    if not all(has_own_runtime(manifest, c.id) for c in manifest.candidates):
        asked.tell(
            Note(
                f"the edgeq_runtime.py in {conversion.path} is not this edgeq's, but another version's or from another source: read it "
                "before you run it, or convert the model again"
            )
        )
    if asked.name not in (None, manifest.name):
        raise BundleRefused(
            f"{conversion.path} has the name {manifest.name}, not {asked.name}",
            f"leave out --name, or make it again with `edgeq convert --name {asked.name}`",
        )
    return conversion


def _check_device(device: Session, kind: Target, asked: DeployRequest) -> None:
    """Tells the device's facts, and warns of options that are likely a mistake there. Raises ReadOnly, and DeviceUnfit where a
    service was asked for and systemd does not run.
    """
    asked.tell(device.facts)
    asked.tell(Destination(kind.name, device.label, device.facts))
    fitness.require_writable(device.facts, device.label)
    if asked.service and not asked.dry_run:
        require_systemd(device)
    for note in fitness.too_many_threads(device.facts, device.label, asked.threads):
        asked.tell(Note(note))
    if kind.detect and not device.local:
        only = f"target {kind.name} for {device.label}: edgeq knows only its CPU flags"
        asked.tell(Note(f"{only}; `edgeq targets` lists the kinds of device it knows"))


def _conversion(
    device: Session, finished: Conversion | None, asked: DeployRequest
) -> tuple[Conversion, tuple[WheelSet, ...]]:
    """The finished bundle, or what the model becomes on a device as it is; with wheels of the runtimes that it can have."""
    if finished is not None:
        return finished, runtimes.for_bundle(device, finished.bundle.manifest, asked.tell)
    wheels, unavailable = runtimes.for_source(device, text(asked.model) or "", asked.runtime, asked.tell)
    there = {"target": device.target, "unavailable": unavailable}
    return convert(**keywords(asked, ConvertRequest) | there), wheels
