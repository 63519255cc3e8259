"""What a job must keep to before anything of it is run, or believed."""

import math
from collections import Counter
from collections.abc import Iterator

from .job import SCHEMA, Job
from .safe_names import is_name, problem_of_path

KINDS = ("smoke", "race", "measure")
LONGEST_SECONDS = 86400.0
_MOST_ENTRANTS = 200
# Inclusive ends of what the numbers may be. Beyond them nothing is measured better, and the arithmetic of the agent ends.
_LIMITS = {
    "seconds": (0, LONGEST_SECONDS),
    "precision": (0, 1e3),
    "load_seconds": (0, LONGEST_SECONDS),
    "check_seconds": (0, LONGEST_SECONDS),
    "check_bytes": (0, 1 << 32),
    "min_rounds": (0, 1_000_000),
    "max_rounds": (1, 1_000_000),
    "block_ms": (0, 1000 * LONGEST_SECONDS),
    "warmup_runs": (0, 1_000_000),
}
_MOST_THREADS = 1024


def problems_of_job(job: Job) -> Iterator[str]:
    if job.schema != SCHEMA:
        yield f"schema {job.schema}; known is schema {SCHEMA}"
    if not is_name(job.id):
        yield f"id {job.id!r}: letters, digits and ._- only, not beginning with a dot"
    if job.kind not in KINDS:
        yield f"kind {job.kind!r}; known: {', '.join(KINDS)}"
    if not is_name(job.app):
        yield f"app {job.app!r}: letters, digits and ._- only, not beginning with a dot"
    if not job.entrants:
        yield "entrants: there are none"
    if len(job.entrants) > _MOST_ENTRANTS:
        yield f"entrants: there are {len(job.entrants)}, at most {_MOST_ENTRANTS}"
    yield from _path_problems(job)
    for id, times in Counter(e.id for e in job.entrants).items():
        if not is_name(id):
            yield f"entrant {id!r}: letters, digits and ._- only, not beginning with a dot"
        if times > 1:
            yield f"entrant {id!r}: occurs {times} times"
    yield from _number_problems(job)


def _path_problems(job: Job) -> Iterator[str]:
    """Models, samples and packages lie below the root; an empty `samples` is for the agent to judge."""
    paths = [(f"entrant {e.id!r} model", e.model) for e in job.entrants]
    paths += [(f"entrant {e.id!r} python_path", p) for e in job.entrants for p in e.python_path]
    paths += [("samples", job.samples)] if job.samples else []
    for where, path in paths:
        problem = problem_of_path(path)
        if problem:
            yield f"{where} {path!r}: the path {problem}"


def _number_problems(job: Job) -> Iterator[str]:
    for name, (least, most) in _LIMITS.items():
        value = getattr(job.limits, name)
        if not (math.isfinite(value) and least <= value <= most):
            yield f"limits.{name} {value}: {least:g} to {most:g}"
    for name, value in vars(job.thresholds).items():
        if not math.isfinite(value):
            yield f"thresholds.{name} {value}: a finite number"
    for entrant in job.entrants:
        if not 1 <= entrant.threads <= _MOST_THREADS:
            yield f"entrant {entrant.id!r} threads {entrant.threads}: 1 to {_MOST_THREADS}"
    if job.energy is not None and not math.isfinite(job.energy.active_core_watts + job.energy.idle_watts):
        yield "energy: watts are finite numbers"
