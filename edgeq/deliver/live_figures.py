"""live_figures(): what is known of the speed and memory of what is live, out of the store and the device's own results."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from edgeq.deliver.results import fetch_result
from edgeq.deliver.session import Session
from edgeq.errors import LinkLost, RemoteFailed, Unreachable
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.release import App, DeviceStatus
from edgeq.nouns.report import LiveFigures, RaceReport
from edgeq.report.race import compare_runs
from edgeq.store.open import open_known_store
from edgeq.store.sqlite import Store

_ROWS = 5  # of the store that are looked at for one model

T = TypeVar("T")
Find = Callable[[str], Measurement | None]


def live_figures(device: Session, status: DeviceStatus, store: str | None) -> tuple[LiveFigures, ...]:
    """One per live name. What the service measured since a host last asked is on the device only, so both are looked at;
    nothing is stored. Raises StoreRefused for a store that is named and missing.
    """
    opened = open_known_store(store)
    try:
        find = _finder(device, opened)
        return tuple(_of(app, device, status, opened, find) for app in status.apps if app.live)
    finally:
        if opened is not None:
            opened.close()


def _of(app: App, device: Session, status: DeviceStatus, store: Store | None, find: Find) -> LiveFigures:
    known = (find(id) for id in _ids(app, device, status, store))
    newest = next((m for m in known if m is not None and _ran_in(m, app)), None)
    if newest is None:
        return LiveFigures(app.name, absent="no measurement of it is stored on this machine or on the device")
    report = compare_runs(newest)
    row = report.row(app.candidate or "")
    figures = LiveFigures(
        app.name,
        job=newest.job.id,
        measured_utc=newest.started_utc,
        quiet=newest.quiet,
        emulated=newest.facts.emulated,
        p50_ms=row.latency.p50_ms if row.latency else None,
        peak_memory_bytes=row.peak_memory_bytes,
    )
    if len(newest.job.entrants) > 1:
        return _with_race(figures, app, newest, report)
    race = find(_raced(device, app))
    return _with_race(figures, app, race, compare_runs(race)) if race and _ran_in(race, app) else figures


def _with_race(figures: LiveFigures, app: App, race: Measurement, report: RaceReport) -> LiveFigures:
    row = report.row(app.candidate or "")
    return replace(
        figures,
        raced=race.job.id,
        raced_utc=race.started_utc,
        against=report.row(report.reference).title,
        verdict=row.verdict,
        speedup=row.speedup,
    )


def _ids(app: App, device: Session, status: DeviceStatus, store: Store | None) -> Iterator[str]:
    """Where its newest measurement may be, the likeliest first."""
    yield from reversed(status.last_results)
    if store is not None:
        rows = store.list(app=app.name, host=device.label, release=app.live, limit=_ROWS)
        yield from (row.job for row in rows)


def _raced(device: Session, app: App) -> str:
    """The job of the race that it went live by; "" where the device was not told."""
    remembered: Job | None = _if_there(lambda: device.link.call("remembered", {"app": app.name}))
    return remembered.id if remembered else ""


def _finder(device: Session, store: Store | None) -> Find:
    """Each is looked for once: in the store, which costs nothing, then on the device."""
    seen: dict[str, Measurement | None] = {"": None}
    kept = {row.job for row in store.list(host=device.label)} if store is not None else set()

    def find(id: str) -> Measurement | None:
        if id not in seen:
            if store is not None and id in kept:
                seen[id] = store.get(id)
            else:  # one that is no longer there, or of another edgeq, is left out; `report --fetch` says which
                seen[id] = _if_there(lambda: fetch_result(device.link, id))
        return seen[id]

    return find


def _if_there(ask: Callable[[], T]) -> T | None:
    """What the device answers; None where it says that there is no such thing."""
    try:
        return ask()
    except (LinkLost, Unreachable):
        raise
    except RemoteFailed:
        return None


def _ran_in(measurement: Measurement, app: App) -> bool:
    """The very candidate that is live, to its end."""
    if measurement.job.app != app.name:
        return False
    entered = any(e.id == app.candidate and e.digest == app.live for e in measurement.job.entrants)
    return entered and any(run.entrant == app.candidate and run.blocks for run in measurement.runs)
