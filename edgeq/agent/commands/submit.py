"""`submit`: a job for the service, which does it when the device is free."""

from dataclasses import dataclass
from typing import Optional

from edgeq.agent import lock, queue
from edgeq.agent.job_rules import require_safe_job
from edgeq.agent.layout import Root
from edgeq.nouns.answers import Submitted
from edgeq.nouns.job import Job
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    """With the token of whoever holds the device the job is done under that lock, before any other."""

    job: Job
    token: Optional[str] = None


def answer(request: Request, root: Root) -> Submitted:
    require_safe_job(request.job)
    if request.token is not None:
        lock.renew(root, request.token, lend_to=request.job.id)
    queue.put(root, request.job)
    return Submitted(request.job.id)
