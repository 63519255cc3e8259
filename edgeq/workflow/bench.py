"""bench(): measures what is live on a device, or bundles against each other. Activates nothing."""

from dataclasses import replace
from pathlib import Path

from edgeq.deliver import preflight
from edgeq.deliver.jobs import make_job
from edgeq.deliver.lock import locked
from edgeq.deliver.measure import measure
from edgeq.deliver.race_bundles import race_bundles
from edgeq.deliver.session import Session, session_for
from edgeq.errors import TargetRefused
from edgeq.nouns.job import Job, Limits
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Benched
from edgeq.report.race import compare_runs
from edgeq.request.accepts import accepts
from edgeq.request.paths import text
from edgeq.request.requests import BenchRequest
from edgeq.request.tell import Tell
from edgeq.store.keep import keep


@accepts(BenchRequest)
def bench(request: BenchRequest) -> Benched:
    """Measure what is live on a device, or .edgeq bundles. Activates nothing.

    Bundles are raced against each other, interleaved, the first being the reference; they are brought to the device
    for it and removed again unless they were there. Raises NotComparable for bundles with different inputs, TargetRefused for a
    `candidate` that a bundle does not have.
    """
    named = tuple(text(w) for w in request.what)
    if request.candidate is not None and not any(w.endswith(".edgeq") for w in named):
        raise TargetRefused(
            "--candidate chooses one of a bundle, and no bundle is named",
            "name a .edgeq bundle; of a model that is live, the live candidate is measured",
        )
    threads, limits, tell = request.threads, request.limits or Limits(), request.tell
    with session_for(request, look_only=False) as device:
        tell(device.facts)
        for note in preflight.too_many_threads(device.facts, device.label, threads):
            tell(Note(note))
        if any(w.endswith(".edgeq") for w in named):
            with locked(device.link, "measuring") as token:
                paths, candidate = [Path(w) for w in named], request.candidate
                measured = [race_bundles(device, token, paths, threads, limits, tell, candidate)]
        else:
            measured = [_live(device, name, threads, limits, tell) for name in _names(device, named)]
        for measurement in measured:
            keep(text(request.store), measurement, device.label)
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
    job = make_job("measure", name, entrants, remembered.samples, limits)
    with locked(device.link, f"measuring {name}") as token:
        return measure(device, token, job, tell)
