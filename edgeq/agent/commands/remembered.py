"""`remembered`: how the live candidate of an app is measured, as the host gave it when it went live."""

from dataclasses import dataclass

from edgeq.agent.apps import require_app
from edgeq.agent.layout import Root
from edgeq.agent.remembered import job_of_live
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import Job
from edgeq.nouns.record import Record


@dataclass(frozen=True)
class Request(Record):
    app: str


def answer(request: Request, root: Root) -> Job:
    """The job narrowed to the live candidate. Raises RemoteFailed when nothing is live or no job came with it."""
    require_app(root, request.app)
    job = job_of_live(root, request.app)
    if job is None:
        raise RemoteFailed(
            f"no measurement job for {request.app} is stored on this device",
            "deploy with --measure-again",
        )
    return job
