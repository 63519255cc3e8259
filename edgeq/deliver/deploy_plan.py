"""What a deployment does on a device, decided from facts before anything is changed there. `--dry-run` ends after it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgeq.conversion.check_samples import MAX_BYTES
from edgeq.deliver import preflight, race, runtimes, wheel_upload
from edgeq.deliver.candidate_filter import candidates_left_out
from edgeq.deliver.limits_asked import in_bundle
from edgeq.deliver.service.find import find
from edgeq.deliver.service.install import ServicePlan, plan_install
from edgeq.deliver.service.schedule import schedule
from edgeq.deliver.service.unit_files import SYSTEM_ROOT
from edgeq.deliver.session import Session, requested_root
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.delivery import WheelPlan, WheelSet
from edgeq.nouns.job import Entrant, Limits
from edgeq.nouns.progress import Note, Started
from edgeq.nouns.release import App
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.report.tradeoff import left_out as not_raced
from edgeq.report.tradeoff import require_within
from edgeq.request.finished_bundle import excluded_by_options
from edgeq.request.requests import DeployRequest, InstallServiceRequest
from edgeq.request.tell import Tell


@dataclass(frozen=True)
class ReleasePlan:
    """How a release goes live: the wheels to upload for it, the candidates that race there and for how long, the others
    with the reason, and how many releases are kept. `tradeoff`: what the candidates lose and cost, where that matters for the choice.
    """

    wheels: WheelPlan
    entrants: tuple[Entrant, ...]
    left_out: Mapping[str, str]
    limits: Limits
    keep: int
    tradeoff: Tradeoff | None = None


@dataclass(frozen=True)
class DeployPlan:
    """`root` is where edgeq's files are when it is done, `before` what the device has under the name `app`. `service` comes
    first; None: it was not asked for. `release` None: this very release is live already.
    """

    app: str
    root: str
    before: App | None
    service: ServicePlan | None
    release: ReleasePlan | None


def plan_deployment(
    device: Session,
    manifest: Manifest,
    sets: tuple[WheelSet, ...],
    request: DeployRequest,
    tradeoff: Tradeoff | None = None,
) -> DeployPlan:
    """`sets` are the wheels of the runtimes that the device can have. Changes nothing.

    Raises DeviceUnfit or NoSpace where the release, or the service, cannot be there, GateFailed where no candidate keeps the limits of
    `tradeoff`.
    """
    here = tradeoff and in_bundle(tradeoff, tuple(c.id for c in manifest.candidates))
    over = _over_limits(here)
    service = _plan_service(device, request) if request.service else None
    there = as_with_service(device, service) if service is not None else device
    before = there.app(manifest.name)
    if _is_live(before, manifest, request, here):
        return DeployPlan(manifest.name, there.facts.root, before, service, release=None)
    live = f"{before.name} = {(before.live or 'nothing')[:7]}, unchanged" if before else None
    left_out = {**over, **candidates_left_out(there, sets, manifest, request, live, without=over)}
    needed = runtimes.used(sets, manifest, without=left_out)
    wheels = wheel_upload.plan_wheels(there.link, needed, ask=there.installed)
    sends = sum(a.size for a in manifest.artifacts) + MAX_BYTES
    preflight.require_room(there.facts, there.label, to_send=sends, wheels=wheels.bytes_unpacked, live=live)
    threads = request.threads or there.target.threads
    release = ReleasePlan(
        wheels,
        race.entrants(manifest, manifest.name, wheels, threads, left_out),
        left_out,
        limits=replace(request.limits or Limits(), decided=True),
        keep=request.keep or there.target.keep_releases,
        tradeoff=tradeoff,
    )
    return DeployPlan(manifest.name, there.facts.root, before, service, release)


def tell_plan(plan: DeployPlan, tell: Tell) -> None:
    """What will be uploaded, and which candidates will not race."""
    if plan.release is None:
        return
    for candidate, reason in plan.release.left_out.items():
        tell(Note(f"{candidate} is not raced: {reason}"))
    tell(Started("delivery"))
    tell(plan.release.wheels)


def _plan_service(device: Session, request: DeployRequest) -> ServicePlan:
    """The system service, as `edgeq agent install` installs it where nothing else is asked for."""
    found = find(device, InstallServiceRequest.scope, requested_root(request))
    return plan_install(device, found, schedule(InstallServiceRequest.every))


def as_with_service(device: Session, service: ServicePlan) -> Session:
    """The device as it will answer once the service is there. What is copied to the service's root is asked of the folder that it
    is copied from. A service that works where edgeq does not look changes nothing.
    """
    here, found = device.link.root.rstrip("/"), service.found
    if service.root not in (here, SYSTEM_ROOT) or (service.root == here and not service.copies):
        return device
    source = found.own if service.copies else service.root
    free = found.free_bytes - (found.own_bytes if service.copies else 0)
    return replace(
        device,
        link=replace(device.link, root=source),
        facts=replace(device.facts, root=service.root, root_free=free),
        installed=service.copies or bool(found.names),
    )


def _over_limits(tradeoff: Tradeoff | None) -> dict[str, str]:
    """The candidates that are not raced for it, each with the reason. Raises GateFailed where none is left."""
    if tradeoff is None:
        return {}
    require_within(tradeoff)
    return not_raced(tradeoff)


def _is_live(app: App | None, manifest: Manifest, request: DeployRequest, tradeoff: Tradeoff | None) -> bool:
    """Whether this very release is live, by a candidate that --recipe, --runtime and the limits allow, and need not be raced again: only
    a race tells whether it is within a limit of latency.
    """
    if app is None or app.live != manifest.digest or request.measure_again:
        return False
    if tradeoff is not None and (
        tradeoff.limits.max_latency_ms is not None or app.candidate in not_raced(tradeoff)
    ):
        return False
    return not any(c.id == app.candidate and excluded_by_options(c, request) for c in manifest.candidates)
