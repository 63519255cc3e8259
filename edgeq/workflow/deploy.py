"""deploy(): from a model to measured numbers on a device, and the fastest faithful candidate live there."""

from pathlib import Path

from edgeq import catalog
from edgeq.bundle.own_runtime import has_own_runtime
from edgeq.conversion.finished import open_conversion
from edgeq.deliver import preflight, runtimes
from edgeq.deliver.apply import apply, unchanged
from edgeq.deliver.candidate_filter import require_agent
from edgeq.deliver.deploy_plan import plan_deployment, tell_plan
from edgeq.deliver.limits_asked import limits_asked
from edgeq.deliver.send_plan import plan_sending
from edgeq.deliver.service.find import require_systemd
from edgeq.deliver.service.install import install
from edgeq.deliver.session import Session, live_in_errors, session_for
from edgeq.errors import BundleRefused
from edgeq.model_name import model_name
from edgeq.nouns.delivery import Destination, WheelSet
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion, Deployment
from edgeq.nouns.target import Target
from edgeq.request.accepts import accepts, keywords
from edgeq.request.finetune_rules import require_finetunable
from edgeq.request.finished_bundle import require_made_for, require_nothing_fixed
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, DeployRequest
from edgeq.workflow.convert import convert


@accepts(DeployRequest)
def deploy(request: DeployRequest) -> Deployment:
    """Convert a model (or take a finished .edgeq bundle), send it to a device, race its candidates there, and make the
    fastest that is faithful to float live.

    Raises every error of edgeq.errors; whatever is raised, what was live is live still.
    """
    kind, tell = catalog.target(request.kind), request.tell
    require_agent(kind, request)
    finished = _finished(request, kind)
    require_finetunable(request.model, request)
    name = (
        finished.bundle.manifest.name if finished else request.name or model_name(text(request.model) or "")
    )
    with session_for(request, look_only=True) as device:
        with live_in_errors(device, name, tell):
            _check_device(device, kind, request)
            conversion, wheels = _conversion(device, finished, request)
            tradeoff = limits_asked(conversion, request)
            plan = plan_deployment(device, conversion.bundle.manifest, wheels, request, tradeoff)
            tell_plan(plan, tell)
        if request.dry_run:
            if plan.release is not None:
                tell(plan_sending(device, conversion.bundle, plan.before, tell))
            if plan.service is not None:
                tell(install(plan.service, device, tell, dry_run=True))
            return unchanged(conversion, device, plan.before)
        return apply(plan, device, conversion, text(request.store), tell)


def _finished(request: DeployRequest, kind: Target) -> Conversion | None:
    """The conversion that the model names where it is a bundle already, made for this kind of device. A bundle carries its name:
    it is part of what its digest covers. Raises BundleRefused.
    """
    model = text(request.model) or ""
    if not model.endswith(".edgeq"):
        return None
    require_nothing_fixed(Path(model), request)
    conversion = open_conversion(Path(model), request.tell)
    manifest = conversion.bundle.manifest
    require_made_for(manifest, kind, "deploy")
    if not all(has_own_runtime(manifest, c.id) for c in manifest.candidates):
        request.tell(
            Note(
                f"the edgeq_runtime.py in {conversion.path} is not this edgeq's, but another version's or from another source: read it "
                "before you run it, or convert the model again"
            )
        )
    if request.name not in (None, manifest.name):
        raise BundleRefused(
            f"{conversion.path} has the name {manifest.name}, not {request.name}",
            f"leave out --name, or make it again with `edgeq convert --name {request.name}`",
        )
    return conversion


def _check_device(device: Session, kind: Target, request: DeployRequest) -> None:
    """Tells the device's facts, and warns of options that are likely a mistake there. Raises ReadOnly, and DeviceUnfit where a
    service was asked for and systemd does not run.
    """
    request.tell(device.facts)
    request.tell(Destination(kind.name, device.label, device.facts))
    preflight.require_writable(device.facts, device.label)
    if request.service and not request.dry_run:
        require_systemd(device)
    for note in preflight.too_many_threads(device.facts, device.label, request.threads):
        request.tell(Note(note))
    if kind.detect and not device.local:
        only = f"target {kind.name} for {device.label}: edgeq knows only its CPU flags"
        request.tell(Note(f"{only}; `edgeq targets` lists the kinds of device it knows"))


def _conversion(
    device: Session, finished: Conversion | None, request: DeployRequest
) -> tuple[Conversion, tuple[WheelSet, ...]]:
    """The finished bundle, or what the model becomes on a device as it is; with wheels of the runtimes that it can have."""
    if finished is not None:
        return finished, runtimes.for_bundle(device, finished.bundle.manifest, request.tell)
    wheels, unavailable = runtimes.for_source(
        device, text(request.model) or "", request.runtime, request.tell
    )
    there = {"target": device.target, "unavailable": unavailable, "one_per_speed": True}
    return convert(**keywords(request, ConvertRequest) | there), wheels
