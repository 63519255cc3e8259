"""Measurements by way of the service: asked for here, done there by itself, fetched whenever the host next asks."""

import time
from collections.abc import Callable, Collection

from edgeq.deliver.agent_link import AgentLink
from edgeq.errors import LinkLost, RemoteFailed, Unreachable
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.progress import Note, Progress

_SHORTEST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0


def submit_and_wait(
    link: AgentLink, job: Job, timeout_s: float, tell: Callable[[Progress], None]
) -> Measurement:
    """Have the service run `job` as its own user and wait for the result. The job waits for the device's lock itself:
    do not hold it.

    A link that breaks meanwhile changes nothing: the job goes on, and so does the waiting. Raises RemoteFailed after
    `timeout_s`; the job stays where it is and its result comes with `fetch_new`.
    """
    start = time.monotonic()
    link.call("submit", {"job": job.to_dict()})
    wait_s = _SHORTEST_WAIT_S
    while True:
        if _is_done(link, job.id):
            return Measurement.from_dict(link.call("result", {"id": job.id}, timeout_s=120))
        spent = time.monotonic() - start
        if spent > timeout_s:
            raise RemoteFailed(
                f"the service on {link.transport.label} did not finish job {job.id} within {timeout_s:.0f} s",
                "`edgeq agent status` shows whether it runs, `edgeq agent logs` what it says; the job stays in its "
                "queue, and a result that comes later is fetched by `edgeq report --fetch`",
            )
        tell(Progress("measure", min(spent, job.limits.seconds), job.limits.seconds, "s"))
        time.sleep(min(wait_s, max(timeout_s - spent, 0.05)))
        wait_s = min(wait_s * 1.3, _LONGEST_WAIT_S)


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
    ids = [id for id in link.call("results", {"after": after})["results"] if id not in known]
    fetched = []
    for id in ids:
        try:
            fetched.append(Measurement.from_dict(link.call("result", {"id": id}, timeout_s=120)))
        except (LinkLost, Unreachable):
            raise
        except (RemoteFailed, ValueError) as error:
            tell(Note(f"result {id} of {link.transport.label} was not fetched: {error}"))
    return fetched


def _is_done(link: AgentLink, id: str) -> bool:
    try:
        return id in link.call("results")["results"]
    except (LinkLost, Unreachable):
        return False  # the job does not need us; ask again until the time is over
