"""`work`: one job now, in the foreground."""

from dataclasses import dataclass
from typing import Optional

from edgeq.agent import lock
from edgeq.agent.job_rules import require_safe_job
from edgeq.agent.layout import Root
from edgeq.agent.perform import perform
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """Without a token the job takes the device itself, for whoever requested it."""

    job: Job
    token: Optional[str] = None


def answer(request: Request, root: Root) -> Measurement:
    job = request.job
    require_safe_job(job)
    if request.token is not None:
        # Asked again over a new connection, it waits for the first and gives its result; nothing else waits for it.
        with lock.held(root, request.token, turn=root.results):
            return perform(root, job, lambda: lock.is_cancelled(root, request.token or "", job.id))
    with lock.taken(root, job.requested_by or "unknown", f"{job.kind} of {job.app}") as token:
        return perform(root, job, lambda: lock.is_cancelled(root, token, job.id))
