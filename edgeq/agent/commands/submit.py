"""`submit`: a job for the service, which does it when the device is free."""

from dataclasses import dataclass
from typing import Any

from edgeq.agent import queue
from edgeq.agent.job_rules import require_safe_job
from edgeq.agent.layout import Root
from edgeq.nouns.job import Job
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    job: Job


def answer(request: Request, root: Root) -> dict[str, Any]:
    require_safe_job(request.job)
    queue.put(root, request.job)
    return {"id": request.job.id}
