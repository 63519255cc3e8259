"""Measurements by way of the service: asked for here, done there by itself, fetched whenever the host next asks."""

import contextlib
import time
from collections.abc import Callable, Collection
from typing import NoReturn

from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.jobs import measuring
from edgeq.deliver.results import fetch_result, require_result_of
from edgeq.errors import DeviceError, LinkLost, RemoteFailed, Unreachable
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.progress import Note, Progress

_SHORTEST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0
BEGINS_S = 30.0  # a service that works begins within two: systemd sees the file, Python starts


def submit_and_wait(
    link: AgentLink,
    token: str,
    job: Job,
    timeout_s: float,
    tell: Callable[[Progress], None],
    begins_s: float = BEGINS_S,
) -> Measurement | None:
    """Have the service run `job` as its own user and wait for the result, all under the lock that the caller holds with
    `token`: nobody else comes in between, and no other job first. A link that breaks meanwhile changes nothing: the job
    goes on, and so does the waiting.

    None when the service has not begun within `begins_s`: the job was taken back, nothing was measured. Whatever is
    raised, Ctrl-C among it, no job stays that nobody waits for. Raises RemoteFailed after `timeout_s`.
    """
    start = time.monotonic()
    try:
        link.call("submit", {"job": job.to_dict(), "token": token})
        measured = _result_of(link, job, start, begins_s, tell)
        if measured is None and link.call("withdraw", {"id": job.id}).withdrawn:
            return None
        return measured or _result_of(link, job, start, timeout_s, tell) or _late(link, job, timeout_s)
    except BaseException:
        with contextlib.suppress(DeviceError):
            link.call("withdraw", {"id": job.id}, timeout_s=20)
        raise


def fetch_new(
    link: AgentLink,
    after: str | None,
    *,
    known: Collection[str] = (),
    tell: Callable[[Note], None] = lambda note: None,
) -> list[Measurement]:
    """What was measured there since the result `after` (None: all that is kept), oldest first, but for the ids that
    the host has already. One that cannot be read is told of and does not keep the others from coming.
    """
    ids = [id for id in link.call("results", {"after": after}).results if id not in known]
    fetched = []
    for id in ids:
        try:
            fetched.append(fetch_result(link, id))
        except (LinkLost, Unreachable):
            raise
        except RemoteFailed as error:
            tell(Note(f"result {id} of {link.transport.label} was not fetched: {error}"))
    return fetched


def _result_of(
    link: AgentLink, job: Job, start: float, until_s: float, tell: Callable[[Progress], None]
) -> Measurement | None:
    """None when there is none yet `until_s` seconds after `start`."""
    wait_s = _SHORTEST_WAIT_S
    while not _is_done(link, job.id):
        spent = time.monotonic() - start
        if spent > until_s:
            return None
        tell(measuring(job, spent))
        time.sleep(min(wait_s, max(until_s - spent, 0.05)))
        wait_s = min(wait_s * 1.3, _LONGEST_WAIT_S)
    return require_result_of(job, fetch_result(link, job.id), link)


def _late(link: AgentLink, job: Job, timeout_s: float) -> NoReturn:
    raise RemoteFailed(
        f"the service on {link.transport.label} did not finish job {job.id} within {timeout_s:.0f} s",
        "`edgeq agent status` shows whether it runs, `edgeq agent logs` what it says; the job stays in its "
        "queue, and a result that comes later is fetched by `edgeq report --fetch`",
    )


def _is_done(link: AgentLink, id: str) -> bool:
    try:
        return id in link.call("results").results
    except (LinkLost, Unreachable):
        return False  # the job does not need us; ask again until the time is over
