"""Carries out what deploy_plan.py decided: everything that a deployment changes on a device."""

from collections.abc import Mapping

from edgeq.application import load_lines
from edgeq.bundle.own_runtime import has_own_runtime
from edgeq.bundle.unpacked import unpacked
from edgeq.conversion.old_release import old_files
from edgeq.deliver import activate, push, race, wheel_upload
from edgeq.deliver.compression import Compression
from edgeq.deliver.deploy_plan import DeployPlan, ReleasePlan
from edgeq.deliver.jobs import make_job
from edgeq.deliver.lock import locked
from edgeq.deliver.measure import measure
from edgeq.deliver.service.install import install
from edgeq.deliver.session import Session, live_in_errors
from edgeq.nouns.bundle import Bundle
from edgeq.nouns.job import Entrant
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.release import App
from edgeq.nouns.report import Choice, RaceReport
from edgeq.nouns.results import Conversion, Deployment
from edgeq.request.tell import Tell
from edgeq.store.keep import keep, keep_tradeoff


def apply(
    plan: DeployPlan, device: Session, conversion: Conversion, store: str | None, tell: Tell
) -> Deployment:
    """First the service, which settles where edgeq's files are on the device; then the release.

    Raises DeviceError, ModelCrashed, DeviceDisagrees, StoreRefused: whatever is raised, what was live stays live.
    """
    app = plan.before
    if plan.service is not None:
        with live_in_errors(device, plan.app, tell):
            tell(install(plan.service, device, tell, dry_run=False))
            if plan.service.steps:
                device = device.in_root(plan.root)
                app = device.app(plan.app)
    if plan.release is None:
        return unchanged(conversion, device, app)
    with live_in_errors(device, plan.app, tell):
        deployment = _deploy_release(
            plan.release, plan.app, app, device.with_agent(), conversion, store, tell
        )
        tell(deployment)
        return deployment


def unchanged(conversion: Conversion, device: Session, app: App | None) -> Deployment:
    """Nothing was sent: it is live already, or this is a dry run."""
    return Deployment(conversion, device.facts, app, changed=False, load_lines=_load_lines(conversion, app))


def _deploy_release(
    plan: ReleasePlan,
    name: str,
    before: App | None,
    device: Session,
    conversion: Conversion,
    store: str | None,
    tell: Tell,
) -> Deployment:
    """Under the device's lock. Nothing is live before the last step."""
    link, bundle = device.link, conversion.bundle
    with (
        unpacked(bundle) as files,
        locked(link, f"deploying {name}") as token,
        activate.tidied(link, token, name, bundle.digest),
    ):
        wheel_upload.upload_wheels(link, token, plan.wheels, tell)
        delivery = push.push(
            link, files.paths, files.sizes, tell, _compression(plan, device, token, before, bundle, tell)
        )
        tell(delivery)
        push.install(link, token, bundle.manifest)
        samples = push.place_samples(link, token, files.samples)

        def measured(entrants: tuple[Entrant, ...]) -> Measurement:
            # Times of an emulated device mean nothing: a short run without the A/A control shows that it works.
            kind = "race" if len(entrants) > 1 and device.facts.emulated is None else "measure"
            found = measure(device, token, make_job(kind, name, entrants, samples, plan.limits), tell)
            keep(store, found, device.label, delivery)
            return found

        def judged(measurement: Measurement, left_out: Mapping[str, str]) -> race.Judged:
            candidate = before.candidate if before else None
            return race.judge(device, bundle, measurement, left_out, candidate, plan.tradeoff)

        measurement, found = race.race(plan.entrants, plan.left_out, measured, judged, tell)
        report, choice = found.report, found.choice
        if found.tradeoff is not None:
            keep_tradeoff(store, measurement, found.tradeoff)
        tell(report)
        job, unknown = measurement.job, _why_not_compared(report, choice)
        live = activate.activate(link, token, name, bundle.digest, choice.candidate, plan.keep, job, unknown)
    return Deployment(
        conversion,
        device.facts,
        live,
        changed=True,
        previous=before.live if before else None,
        delivery=delivery,
        measurement=measurement,
        race=report,
        checks=found.checks,
        choice=choice,
        load_lines=_load_lines(conversion, live),
        tradeoff=found.tradeoff,
    )


def _compression(
    plan: ReleasePlan, device: Session, token: str, before: App | None, bundle: Bundle, tell: Tell
) -> Compression | None:
    """None on this machine, to which nothing travels."""
    if device.local:
        return None
    return Compression(
        device.link,
        token,
        next((plan.wheels.python_path(s.runtime) for s in plan.wheels.sets), ()),
        device.facts,
        tell,
        old_files(bundle.manifest.name, before.live if before else None, bundle.manifest),
    )


def _load_lines(conversion: Conversion, app: App | None) -> tuple[str, ...]:
    """Python that runs the model on the device; empty where it is not live, or its edgeq_runtime.py is not this edgeq's."""
    manifest = conversion.bundle.manifest
    if app is None or app.live != conversion.bundle.digest or app.candidate is None:
        return ()
    if not has_own_runtime(manifest, app.candidate):
        return ()
    images = manifest.preprocessing is not None
    return load_lines(app.name, app.path, inputs=len(manifest.inputs), images=images)


def _why_not_compared(report: RaceReport, choice: Choice) -> str | None:
    """What the device remembers of a release whose speed is unknown; None where the race decided."""
    if choice.compared:
        return None
    return "emulated device" if report.emulated else report.not_compared or choice.why
