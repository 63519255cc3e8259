"""bench(): measures what is live on a device, or bundles against each other. Activates nothing."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeq import catalog
from edgeq.bundle import OpenBundle, read_bundle
from edgeq.deliver import activate, jobs, push, supply
from edgeq.deliver.lock import locked
from edgeq.deliver.service import submit_and_wait
from edgeq.errors import NotComparable, TargetRefused
from edgeq.nouns.job import Job, Limits
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.report import RaceReport
from edgeq.report.race import compare_runs
from edgeq.workflow import runtimes, stored
from edgeq.workflow.session import Login, Session, session
from edgeq.workflow.tell import Tell, silence
from edgeq.workflow.unpacked import unpacked


@dataclass(frozen=True)
class Benched:
    """One race per live model, or one of all bundles."""

    measurements: tuple[Measurement, ...]
    reports: tuple[RaceReport, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "races": [r.to_dict() for r in self.reports],
            "measurements": [m.job.id for m in self.measurements],
        }


def bench(
    *what: str,
    target: str = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: str | None = None,
    threads: int | None = None,
    limits: Limits = Limits(),  # noqa: B008
    store: str | None = None,
    tell: Tell = silence,
) -> Benched:
    """`what` are names of live models (none: all that are live), or paths of .edgeq bundles.

    Bundles are raced against each other, interleaved, the first being the reference; they are brought to the device
    for it and removed again unless they were there. Raises NotComparable for bundles with different inputs.
    """
    kind = catalog.target(target)
    with session(kind, login, root=root, look_only=False, tell=tell) as device:
        tell(device.facts)
        if any(w.endswith(".edgeq") for w in what):
            with locked(device.link, "measuring") as token:
                measured = [_bundles(device, token, [Path(w) for w in what], threads, limits, tell)]
        else:
            measured = [_live(device, name, threads, limits, tell) for name in _names(device, what)]
        for measurement in measured:
            first = measurement.job.entrants[0]
            stored.keep(store, measurement, device, measurement.job.app, first.digest, None)
        reports = tuple(compare_runs(m) for m in measured)
        for report in reports:
            tell(report)
        return Benched(tuple(measured), reports)


def _names(device: Session, what: tuple[str, ...]) -> tuple[str, ...]:
    live = [app.name for app in device.status().apps if app.live]
    unknown = [name for name in what if name not in live]
    if unknown or not live:
        raise TargetRefused(
            f"{device.label} has nothing live under the name {', '.join(unknown)}"
            if unknown
            else f"nothing is live on {device.label}",
            f"live are: {', '.join(live)}" if live else "deploy something, or name .edgeq bundles",
        )
    return what or tuple(live)


def _live(device: Session, name: str, threads: int | None, limits: Limits, tell: Tell) -> Measurement:
    """The live candidate, measured as it was when it went live; by the service where one runs, as its own user."""
    remembered = Job.from_dict(device.link.call("remembered", {"app": name}))
    entrants = tuple(replace(e, threads=threads or e.threads) for e in remembered.entrants)
    bounded = jobs.brief(limits) if device.facts.emulated else limits
    job = jobs.make_job("measure", name, entrants, remembered.samples, bounded, device.target.energy)
    if (device.status().service or "").endswith(": active"):
        return submit_and_wait(device.link, job, jobs.longest_s(job), tell)
    with locked(device.link, f"measuring {name}") as token:
        return jobs.work(device.link, token, job, tell)


def _bundles(
    device: Session, token: str, paths: list[Path], threads: int | None, limits: Limits, tell: Tell
) -> Measurement:
    with contextlib.ExitStack() as stack:
        bundles = [stack.enter_context(read_bundle(path)) for path in paths]
        _require_same_inputs(bundles)
        entrants = []
        for bundle in bundles:
            samples, supplies = stack.enter_context(_staged(device, token, bundle, tell))
            manifest = bundle.manifest
            # One bundle: its candidates against each other. Several: the one that each would have activated untested.
            chosen = manifest.candidates if len(bundles) == 1 else manifest.candidates[:1]
            for c in chosen:
                made = jobs.entrant(
                    c,
                    manifest.name,
                    bundle.digest,
                    supplies.python_path(c.runtime),
                    threads or device.target.threads,
                    f"{manifest.name} {bundle.digest[:7]} {c.runtime} {c.recipe}",
                )
                entrants.append(
                    made if len(bundles) == 1 else replace(made, id=f"{bundle.digest[:7]}-{c.id}")
                )
        bounded = jobs.brief(limits) if device.facts.emulated else limits
        job = jobs.make_job(
            "race" if len(entrants) > 1 else "measure",
            bundles[0].manifest.name,
            tuple(entrants),
            samples,
            bounded,
            device.target.energy,
        )
        return jobs.work(device.link, token, job, tell)


@contextlib.contextmanager
def _staged(
    device: Session, token: str, bundle: OpenBundle, tell: Tell
) -> Iterator[tuple[str, supply.Supplies]]:
    """The bundle installed and not live; gone again afterwards unless it was there before."""
    link, manifest = device.link, bundle.manifest
    sets, _ = runtimes.for_bundle(device, manifest, tell)
    app = device.app(manifest.name)
    was_there = app is not None and any(r.digest == bundle.digest for r in app.releases)
    with unpacked(bundle) as files:
        supplies = supply.look(link, sets)
        supply.bring(link, token, supplies, tell)
        push.push(link, files.paths, files.sizes, tell)
        push.install(link, token, manifest)
        samples = push.place_samples(link, token, files.samples)
    try:
        yield samples, supplies
    finally:
        if not was_there:
            activate.discard(link, token, manifest.name, bundle.digest)


def _require_same_inputs(bundles: list[OpenBundle]) -> None:
    first = bundles[0].manifest
    for other in bundles[1:]:
        if [(i.shape, i.dtype) for i in other.manifest.inputs] != [(i.shape, i.dtype) for i in first.inputs]:
            raise NotComparable(
                f"{bundles[0].path} and {other.path} take different inputs",
                "bundles of one task can be raced; bench the others one by one",
                details=[
                    f"{b.path}: {', '.join(str(i) for i in b.manifest.inputs)}" for b in (bundles[0], other)
                ],
            )
