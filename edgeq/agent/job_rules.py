"""How a job is read from a file that anybody could write, and refused where it keeps to no rule."""

from pathlib import Path

from edgeq.agent.stored import Unreadable, read_json
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import Job
from edgeq.nouns.job_rules import problems_of_job


def require_safe_job(job: Job) -> None:
    """Raises RemoteFailed with every problem of the job."""
    problems = tuple(problems_of_job(job))
    if problems:
        raise RemoteFailed(
            "the agent refuses this job",
            "host and agent may be of different versions of edgeq: deploy again from the host",
            details=problems,
        )


def read_job(path: Path) -> Job:
    """The job in `path`. Raises Unreadable with the reason when it is none that may run."""
    try:
        job = Job.from_dict(read_json(path))
    except ValueError as error:
        raise Unreadable(f"{path.name}: {error}") from None
    problems = list(problems_of_job(job))
    if job.id != path.stem:
        problems.append(f"id {job.id[:80]!r} is not the file's name")
    if problems:
        raise Unreadable(f"{path.name}: " + "; ".join(problems)[:_LONGEST_REASON])
    return job


_LONGEST_REASON = 2000
