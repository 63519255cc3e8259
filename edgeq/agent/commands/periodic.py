"""`periodic`: submits a measurement of every live app; the timer calls it."""

import secrets
import time
from dataclasses import dataclass, replace
from typing import Union

from edgeq.agent import queue
from edgeq.agent.apps import app_names, live
from edgeq.agent.clock import utc_now
from edgeq.agent.layout import Root
from edgeq.agent.remembered import job_of_live
from edgeq.nouns.job import Job
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    pass


def answer(request: Request, root: Root) -> dict[str, object]:
    """`skipped` says why a live app is not measured."""
    submitted, skipped = [], {}
    for app in app_names(root):
        if live(root, app) is None:
            continue
        job = _job(root, app)
        if isinstance(job, str):
            skipped[app] = job
            continue
        queue.put(root, job)
        submitted.append(job.id)
    return {"submitted": submitted, "skipped": skipped}


def _job(root: Root, app: str) -> Union[Job, str]:
    """The job that came with the activation, under an id of its own; or why there is none."""
    if any(path.name.startswith(_prefix(app)) for path in queue.waiting(root)):
        return "its previous periodic measurement is still queued"
    known = job_of_live(root, app)
    if known is None:
        return "no measurement job is stored for it: deploy it again"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    id = f"{_prefix(app)}{stamp}-{secrets.token_hex(2)}"
    return replace(known, id=id, requested_by="edgeq timer", created_utc=utc_now())


def _prefix(app: str) -> str:
    return f"periodic-{app[:80]}-"
