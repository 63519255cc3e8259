"""report(): what was measured before, from the store; and from a device, what its agent measured by itself."""

from edgeq.deliver.service.measure import fetch_new
from edgeq.deliver.session import session_for
from edgeq.errors import StoreRefused, TargetRefused
from edgeq.nouns.report import StoredRow
from edgeq.nouns.results import Reported
from edgeq.report.compare import compare_measurements
from edgeq.report.race import compare_runs
from edgeq.request.accepts import accepts
from edgeq.request.paths import text
from edgeq.request.requests import ReportRequest
from edgeq.store.keep import keep
from edgeq.store.open import open_known_store, open_store
from edgeq.store.sqlite import Store

_FIRST = "`edgeq deploy` and `edgeq bench` add them"


@accepts(ReportRequest)
def report(request: ReportRequest) -> Reported:
    """Without `measurements` the newest rows; with them these, or (`compare`) the difference of each to the first.

    Raises NotComparable for different conditions unless `force`.
    """
    ids, store = request.measurements, text(request.store)
    if request.compare and len(ids) < 2:
        raise TargetRefused("comparing needs two measurements", "`edgeq report` lists their numbers")
    fetched = _fetch(request, store) if request.fetch else 0
    opened = open_known_store(store)
    if opened is None:
        if ids:
            raise StoreRefused(f"there is no measurement {ids[0]!r}: none is stored yet", _FIRST)
        return Reported(fetched=fetched)
    with opened:
        if not ids:
            return Reported(rows=_rows(opened, request.name, request.limit), fetched=fetched)
        found = tuple(opened.get(id) for id in ids)
        tradeoffs = tuple(opened.tradeoff(id) for id in ids)
    if request.compare:
        return Reported(
            comparisons=tuple(
                compare_measurements(found[0], other, force=request.force) for other in found[1:]
            ),
            fetched=fetched,
        )
    races = tuple(compare_runs(m) for m in found)
    return Reported(races=races, measurements=found, fetched=fetched, tradeoffs=tradeoffs)


def _rows(opened: Store, name: str | None, limit: int) -> tuple[StoredRow, ...]:
    """The newest. Raises StoreRefused, with the names that there are, where nothing is stored under `name` alone."""
    rows = tuple(opened.list(app=name, limit=limit))
    names = () if rows or name is None else sorted({row.app for row in opened.list(limit=None)})
    if names:
        raise StoreRefused(
            f"no measurement is stored under the name {name}", f"there are some of: {', '.join(names)}"
        )
    return rows


def _fetch(request: ReportRequest, store: str | None) -> int:
    """Results on the device that the store does not have yet."""
    with session_for(request, look_only=True) as device:
        if not device.installed:
            return 0
        with open_store(store) as opened:  # made where it is not there: what is fetched is kept in it
            known = {row.job for row in opened.list(host=device.label, limit=None)}
        fetched = fetch_new(device.link, None, known=known, tell=request.tell)
        for measurement in fetched:
            keep(store, measurement, device.label)
        return len(fetched)
