"""Fetches what a device measured, and takes it only for the job that it was asked about."""

from edgeq.deliver.agent_link import AgentLink
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Measurement


def fetch_result(link: AgentLink, id: str) -> Measurement:
    """The stored result of job `id`. Raises RemoteFailed when there is none or it is of another job."""
    found: Measurement = link.call("result", {"id": id}, timeout_s=120)
    if found.job.id != id:
        raise _of_another(link, id)
    return found


def require_result_of(job: Job, found: Measurement, link: AgentLink) -> Measurement:
    """`found`, whose job is `job` in every field: what is decided by it was measured on these models, so long. A file of the
    queue that could not be read as a job has its own kind, and says why.
    """
    if found.job != job and not (found.state == "failed" and found.job.id == job.id):
        raise _of_another(link, job.id)
    return found


def _of_another(link: AgentLink, id: str) -> RemoteFailed:
    return RemoteFailed(
        f"{link.transport.label} answered with the result of another job than {id}",
        "measure again; if it happens again, look at results/ in edgeq's folder on the device",
    )
