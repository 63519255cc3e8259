"""What a job must keep to before anything of it is run, and how one is read from a file that anybody could write."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edgeq.agent.safe_names import is_name, problem_of_path
from edgeq.agent.stored import Unreadable, read_json
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import SCHEMA, Job

KINDS = ("smoke", "race", "measure")
LONGEST_SECONDS = 86400.0


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
        problems.append(f"id {job.id!r} is not the file's name")
    if problems:
        raise Unreadable(f"{path.name}: " + "; ".join(problems))
    return job


def problems_of_job(job: Job) -> Iterator[str]:
    if job.schema != SCHEMA:
        yield f"schema {job.schema}; this agent reads schema {SCHEMA}"
    if not is_name(job.id):
        yield f"id {job.id!r}: letters, digits and ._- only, not beginning with a dot"
    if job.kind not in KINDS:
        yield f"kind {job.kind!r}; known: {', '.join(KINDS)}"
    if not is_name(job.app):
        yield f"app {job.app!r}: letters, digits and ._- only, not beginning with a dot"
    if not job.entrants:
        yield "entrants: there are none"
    yield from _path_problems(job)
    for id, times in Counter(e.id for e in job.entrants).items():
        if not is_name(id):
            yield f"entrant {id!r}: letters, digits and ._- only, not beginning with a dot"
        if times > 1:
            yield f"entrant {id!r}: occurs {times} times"
    yield from _limit_problems(job)


def _path_problems(job: Job) -> Iterator[str]:
    """Models, samples and packages lie below the root; an empty `samples` is for the agent to judge."""
    paths = [(f"entrant {e.id!r} model", e.model) for e in job.entrants]
    paths += [(f"entrant {e.id!r} python_path", p) for e in job.entrants for p in e.python_path]
    paths += [("samples", job.samples)] if job.samples else []
    for where, path in paths:
        problem = problem_of_path(path)
        if problem:
            yield f"{where} {path!r}: the path {problem}"


def _limit_problems(job: Job) -> Iterator[str]:
    limits = job.limits
    for name in ("seconds", "load_seconds", "check_seconds"):
        value = getattr(limits, name)
        if not (math.isfinite(value) and 0 <= value <= LONGEST_SECONDS):
            yield f"limits.{name} {value}: 0 to {LONGEST_SECONDS:.0f}"
