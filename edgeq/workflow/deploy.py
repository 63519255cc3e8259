"""deploy(): from a model to measured numbers on a device, and the fastest faithful candidate live there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq import catalog
from edgeq.application import load_lines
from edgeq.bundle.own_runtime import has_own_runtime
from edgeq.bundle.unpacked import unpacked
from edgeq.conversion.check_samples import MOST_BYTES
from edgeq.deliver import activate, fitness, push, race, runtimes, supply
from edgeq.deliver.candidate_filter import candidates_left_out, require_agent
from edgeq.deliver.lock import locked
from edgeq.deliver.session import Session, session_for, truth_about
from edgeq.errors import BundleRefused
from edgeq.model_name import model_name
from edgeq.nouns.delivery import Destination, Supplies
from edgeq.nouns.job import Limits
from edgeq.nouns.progress import Note, Started
from edgeq.nouns.release import App
from edgeq.nouns.report import Choice, RaceReport
from edgeq.nouns.results import Conversion, Deployment
from edgeq.nouns.target import Target
from edgeq.request.finished_bundle import not_asked_for, require_made_for, require_nothing_decided
from edgeq.request.paths import text
from edgeq.request.requests import ConvertRequest, DeployRequest
from edgeq.request.takes import keywords, takes
from edgeq.request.tell import Tell
from edgeq.store.keep import keep
from edgeq.workflow.convert import convert, open_conversion


@takes(DeployRequest)
def deploy(asked: DeployRequest) -> Deployment:
    """Convert a model (or take a finished .edgeq bundle), bring it to a device, race its candidates there, and make the
    fastest that is faithful to float live.

    Raises every error of edgeq.errors; whatever is raised, what was live is live still.
    """
    if asked.service:
        from edgeq.workflow.serviced import deploy_as_service

        return deploy_as_service(asked)
    model, kind, tell = text(asked.model) or "", catalog.target(asked.kind), asked.tell
    require_agent(kind, asked)
    finished = _finished(model, kind, asked, tell)
    app = _name_of(finished, asked.name) if finished else asked.name or model_name(model)
    with (
        session_for(asked, look_only=True) as device,
        truth_about(device, app, tell),
    ):
        tell(device.facts)
        tell(Destination(kind.name, device.label, device.facts))
        fitness.require_writable(device.facts, device.label)
        for note in _reservations(device, kind, asked):
            tell(Note(note))
        if finished is not None:
            conversion = finished
            sets, _ = runtimes.for_bundle(device, conversion.bundle.manifest, tell)
        else:
            sets, unavailable = runtimes.for_source(device, model, asked.runtime, tell)
            there = {"target": device.target, "unavailable": unavailable}
            conversion = convert(**keywords(asked, ConvertRequest) | there)
        before = device.app(app)
        digest = conversion.bundle.digest
        again = asked.measure_again or _is_not_what_was_asked_for(before, conversion, asked)
        if before is not None and before.live == digest and not again:
            return _not_sent(conversion, device, before)
        left_out = candidates_left_out(device, sets, conversion.bundle.manifest, asked, _live(before))
        for candidate, reason in left_out.items():
            tell(Note(f"{candidate} is not raced: {reason}"))
        needed = runtimes.used(sets, conversion.bundle.manifest, without=left_out)
        supplies = supply.look(device.link, needed, ask=device.installed)
        _require_room(device, conversion, supplies, before)
        tell(Started("delivery"))
        tell(supplies)
        if asked.dry_run:
            return _not_sent(conversion, device, before)
        terms = _Terms(
            app=app,
            left_out=left_out,
            threads=asked.threads or device.target.threads,
            limits=asked.limits or Limits(),
            keep=asked.keep or kind.keep_releases,
            store=text(asked.store),
        )
        return _bring(device.settled(), conversion, supplies, before, terms, tell)


@dataclass(frozen=True)
class _Terms:
    """What a deployment was asked for, beside the model; `left_out` are candidates that cannot run there, and why."""

    app: str
    left_out: Mapping[str, str]
    threads: int
    limits: Limits
    keep: int
    store: str | None


def _bring(
    device: Session,
    conversion: Conversion,
    supplies: Supplies,
    before: App | None,
    terms: _Terms,
    tell: Tell,
) -> Deployment:
    """Everything that changes the device, under its lock. Nothing is live before the last step."""
    link, manifest, digest = device.link, conversion.bundle.manifest, conversion.bundle.digest
    with (
        unpacked(conversion.bundle) as files,
        locked(link, f"deploying {terms.app}") as token,
        activate.tidied(link, token, terms.app, digest),
    ):
        supply.bring(link, token, supplies, tell)
        delivery = push.push(link, files.paths, files.sizes, tell)
        tell(delivery)
        push.install(link, token, manifest)
        samples = push.place_samples(link, token, files.samples)
        entrants = race.entrants(manifest, terms.app, supplies, terms.threads, terms.left_out)
        measurement = race.run(device, token, terms.app, entrants, samples, terms.limits, tell)
        keep(terms.store, measurement, device.label, terms.app, digest, delivery)
        report, checks, choice = race.judge(
            device, conversion.bundle, measurement, terms.left_out, before.candidate if before else None
        )
        tell(report)
        job, unknown = measurement.job, _why_not_compared(report, choice)
        live = activate.activate(link, token, terms.app, digest, choice.candidate, terms.keep, job, unknown)
    deployment = Deployment(
        conversion,
        device.facts,
        live,
        changed=True,
        previous=before.live if before else None,
        delivery=delivery,
        measurement=measurement,
        race=report,
        checks=checks,
        choice=choice,
        load_lines=_load_lines(conversion, live),
    )
    tell(deployment)
    return deployment


def _not_sent(conversion: Conversion, device: Session, app: App | None) -> Deployment:
    return Deployment(conversion, device.facts, app, changed=False, load_lines=_load_lines(conversion, app))


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


def _name_of(conversion: Conversion, asked: str | None) -> str:
    """A bundle carries its name: it is part of what its digest stands for."""
    named = conversion.bundle.manifest.name
    if asked not in (None, named):
        raise BundleRefused(
            f"{conversion.path} has the name {named}, not {asked}",
            f"leave out --name, or make it again with `edgeq convert --name {asked}`",
        )
    return named


def _reservations(device: Session, kind: Target, asked: DeployRequest) -> Iterator[str]:
    """What was asked for and can be done, and is hardly meant."""
    yield from fitness.too_many_threads(device.facts, device.label, asked.threads)
    if kind.detect and not device.local:
        yield (
            f"target {kind.name} for {device.label}: edgeq knows only its CPU flags; `edgeq targets` lists the kinds of device it knows"
        )


def _is_not_what_was_asked_for(app: App | None, conversion: Conversion, asked: DeployRequest) -> bool:
    """Whether another candidate of this very bundle is live than --recipe and --runtime allow."""
    candidates = conversion.bundle.manifest.candidates
    return app is not None and any(c.id == app.candidate and not_asked_for(c, asked) for c in candidates)


def _finished(model: str, kind: Target, asked: DeployRequest, tell: Tell) -> Conversion | None:
    """The conversion that `model` names where it is a bundle already, made for this kind of device."""
    if not model.endswith(".edgeq"):
        return None
    require_nothing_decided(Path(model), asked)
    conversion = open_conversion(Path(model), tell)
    manifest = conversion.bundle.manifest
    require_made_for(manifest, kind, "deploy")
    if not all(has_own_runtime(manifest, c.id) for c in manifest.candidates):
        tell(
            Note(
                f"the edgeq_runtime.py in {conversion.path} is not this edgeq's, but another version's or a stranger's: read it "
                "before you run it, or convert the model again"
            )
        )
    return conversion


def _live(app: App | None) -> str | None:
    return f"{app.name} = {(app.live or 'nothing')[:7]}, unchanged" if app else None


def _require_room(device: Session, conversion: Conversion, supplies: Supplies, before: App | None) -> None:
    fitness.require_room(
        device.facts,
        device.label,
        to_send=sum(a.size for a in conversion.bundle.manifest.artifacts) + MOST_BYTES,
        wheels=supplies.bytes_unpacked,
        live=_live(before),
    )
