"""bench(): measures what is live on a device, or bundles against each other. Activates nothing."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgeq.bundle import OpenBundle, read_bundle
from edgeq.bundle.unpacked import unpacked
from edgeq.conversion.check_samples import MOST_BYTES
from edgeq.deliver import activate, fitness, jobs, push, runtimes, supply
from edgeq.deliver.lock import locked
from edgeq.deliver.measure import measure
from edgeq.deliver.session import Session, session_for
from edgeq.errors import NotComparable, TargetRefused
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.delivery import Supplies
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Benched
from edgeq.report.race import compare_runs
from edgeq.request.paths import text
from edgeq.request.requests import BenchRequest
from edgeq.request.takes import takes
from edgeq.request.tell import Tell
from edgeq.store.keep import keep


@takes(BenchRequest)
def bench(asked: BenchRequest) -> Benched:
    """Measure what is live on a device, or .edgeq bundles. Activates nothing.

    Bundles are raced against each other, interleaved, the first being the reference; they are brought to the device
    for it and removed again unless they were there. Raises NotComparable for bundles with different inputs.
    """
    named = tuple(text(w) for w in asked.what)
    threads, limits, tell = asked.threads, asked.limits or Limits(), asked.tell
    with session_for(asked, look_only=False) as device:
        tell(device.facts)
        for note in fitness.too_many_threads(device.facts, device.label, threads):
            tell(Note(note))
        if any(w.endswith(".edgeq") for w in named):
            with locked(device.link, "measuring") as token:
                measured = [_bundles(device, token, [Path(w) for w in named], threads, limits, tell)]
        else:
            measured = [_live(device, name, threads, limits, tell) for name in _names(device, named)]
        for measurement in measured:
            first = measurement.job.entrants[0]
            keep(text(asked.store), measurement, device.label, measurement.job.app, first.digest)
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
            f"live are: {', '.join(live)}" if live else "deploy a model, or name .edgeq bundles",
        )
    return what or tuple(live)


def _live(device: Session, name: str, threads: int | None, limits: Limits, tell: Tell) -> Measurement:
    """The live candidate, measured as it was when it went live."""
    remembered: Job = device.link.call("remembered", {"app": name})
    entrants = tuple(replace(e, threads=threads or e.threads) for e in remembered.entrants)
    bounded = jobs.bounded(limits, len(entrants), emulated=device.facts.emulated is not None)
    job = jobs.make_job("measure", name, entrants, remembered.samples, bounded, device.target.energy)
    with locked(device.link, f"measuring {name}") as token:
        return measure(device, token, job, tell)


def _bundles(
    device: Session, token: str, paths: list[Path], threads: int | None, limits: Limits, tell: Tell
) -> Measurement:
    with contextlib.ExitStack() as stack:
        bundles = [stack.enter_context(read_bundle(path)) for path in paths]
        _require_same_inputs(bundles)
        chosen = [_chosen(bundle, alone=len(bundles) == 1) for bundle in bundles]
        sets = {s.runtime: s for b in bundles for s in runtimes.for_bundle(device, b.manifest, tell)[0]}
        supplies = supply.look(device.link, tuple(sets.values()))
        _require_fit(device, bundles, chosen, supplies)
        stack.enter_context(_gone_afterwards(device, token, bundles))
        supply.bring(device.link, token, supplies, tell)
        samples = [_place(device, token, bundle, tell) for bundle in bundles]
        entrants = tuple(
            entrant
            for bundle, candidates in zip(bundles, chosen, strict=True)
            for entrant in _entrants(
                bundle, candidates, supplies, threads or device.target.threads, alone=len(bundles) == 1
            )
        )
        bounded = jobs.bounded(limits, len(entrants), emulated=device.facts.emulated is not None)
        kind, name = "race" if len(entrants) > 1 else "measure", bundles[0].manifest.name
        job = jobs.make_job(kind, name, entrants, samples[0], bounded, device.target.energy)
        return measure(device, token, job, tell)


def _chosen(bundle: OpenBundle, *, alone: bool) -> tuple[Candidate, ...]:
    """Of one bundle all candidates, against each other; of several the one that each would have activated untested."""
    return bundle.manifest.candidates if alone else bundle.manifest.candidates[:1]


def _entrants(
    bundle: OpenBundle,
    candidates: tuple[Candidate, ...],
    supplies: Supplies,
    threads: int,
    *,
    alone: bool,
) -> Iterator[Entrant]:
    """Those of several bundles are distinguished by their digests."""
    name, digest = bundle.manifest.name, bundle.digest
    for c in candidates:
        title = f"{name} {digest[:7]} {c.runtime} {c.way}"
        made = jobs.entrant(c, name, digest, supplies.python_path(c.runtime), threads, title)
        yield made if alone else replace(made, id=f"{digest[:7]}-{c.id}")


def _require_fit(
    device: Session,
    bundles: list[OpenBundle],
    chosen: list[tuple[Candidate, ...]],
    supplies: Supplies,
) -> None:
    """Before anything is sent. Raises ReadOnly, NoSpace."""
    fitness.require_writable(device.facts, device.label)
    sizes = [a.size for bundle in bundles for a in bundle.manifest.artifacts]
    fitness.require_room(
        device.facts,
        device.label,
        to_send=sum(sizes) + MOST_BYTES * len(bundles),
        wheels=supplies.bytes_unpacked,
        live=None,
    )
    # A candidate that needs more than there is shows so in its row; nothing is to be learned when none of them fits.
    least = min((c.memory_bytes or 0 for candidates in chosen for c in candidates), default=0)
    fitness.require_memory(device.facts, device.label, predicted_peak=least, live=None)


@contextlib.contextmanager
def _gone_afterwards(device: Session, token: str, bundles: list[OpenBundle]) -> Iterator[None]:
    """Whatever happens inside, nothing of a bundle stays that was not there before: neither its release nor check
    samples, nor an upload that was cut off.
    """
    guests = [bundle for bundle in bundles if not _was_there(device, bundle)]
    releases = [(bundle.manifest.name, bundle.digest) for bundle in guests]
    try:
        yield
    except BaseException:
        activate.take_back(device.link, token, releases)
        raise
    activate.remove(device.link, token, releases)


def _was_there(device: Session, bundle: OpenBundle) -> bool:
    app = device.app(bundle.manifest.name)
    return app is not None and any(r.digest == bundle.digest for r in app.releases)


def _place(device: Session, token: str, bundle: OpenBundle, tell: Tell) -> str:
    """Installed and not live; the folder of its check samples on the device."""
    with unpacked(bundle) as files:
        push.push(device.link, files.paths, files.sizes, tell)
        push.install(device.link, token, bundle.manifest)
        return push.place_samples(device.link, token, files.samples)


def _require_same_inputs(bundles: list[OpenBundle]) -> None:
    first = bundles[0].manifest
    for other in bundles[1:]:
        if [(i.shape, i.dtype) for i in other.manifest.inputs] != [(i.shape, i.dtype) for i in first.inputs]:
            raise NotComparable(
                f"{bundles[0].path} and {other.path} take different inputs",
                "only bundles with the same inputs can be raced; bench the others one by one",
                details=[
                    f"{b.path}: {', '.join(str(i) for i in b.manifest.inputs)}" for b in (bundles[0], other)
                ],
            )
