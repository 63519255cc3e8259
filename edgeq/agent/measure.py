"""One job, from the first look at the device to the raw result. Decides nothing about which entrant is better.

A model that crashes, hangs or eats the memory is a result; only a job that cannot be run at all (no samples, an unknown
kind) makes a failed measurement, and that with its reason.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

from edgeq.nouns.device import Conditions
from edgeq.nouns.job import Job
from edgeq.nouns.job_rules import KINDS
from edgeq.nouns.measurement import Attempt, Measurement

from .attempts import raced
from .conditions import read_conditions
from .contestant import TWIN, Contestant
from .energy_use import account_energy
from .facts import read_facts
from .verdict import not_quiet


def run_job(
    job: Job, root: str, agent: str, results_dir: str, wanted: Callable[[], bool] = lambda: True
) -> Measurement:
    """Measure `job`; outputs of the check samples are written to `results_dir`/<entrant>/<k>.npy.

    `agent` is the version that the measurement names. Progress goes to stderr as JSON lines. Raises Abandoned, all
    children ended, soon after the job is not `wanted` any more.
    """
    started, facts, before = _now(), read_facts(root), read_conditions()
    field = line_up(job, Path(root).absolute(), wanted)
    problem = _problem(job, Path(root))
    attempts: tuple[Attempt, ...] = ()
    series: tuple[Conditions, ...] = ()
    energy_absent: dict[str, str] = {}
    with ExitStack() as stack:
        for contestant in field:
            stack.callback(contestant.release)
        if problem is None:
            _try_out(field, Path(results_dir).absolute(), before)
        if problem is None and job.kind != "smoke":
            attempts, series = raced(field, job, wanted)
            energy_absent = account_energy(field, job)
    after = read_conditions()
    runs = tuple(c.to_run() for c in field)
    reasons = attempts[-1].not_quiet if attempts else not_quiet(before, after, series, runs, job.thresholds)
    problem = problem or _all_failed(field)
    return Measurement(
        job=job,
        state="failed" if problem else "done",
        agent=agent,
        started_utc=started,
        finished_utc=_now(),
        facts=facts,
        before=before,
        after=after,
        runs=runs,
        quiet=not reasons,
        not_quiet=reasons,
        series=series,
        stopped_by=attempts[-1].stopped_by if attempts else "",
        error=problem,
        energy_absent=energy_absent,
        attempts=attempts,
    )


def line_up(job: Job, root: Path, wanted: Callable[[], bool] = lambda: True) -> "list[Contestant]":
    """The entrants in the job's order; in a race the reference's twin stands second, in a process of its own, so that
    what differs between two processes of the same file is part of the noise floor.
    """
    field = [Contestant(entrant.id, entrant, job, root, wanted) for entrant in job.entrants]
    if job.kind == "race" and field:
        reference = job.entrants[0]
        field.insert(1, Contestant(reference.id + TWIN, reference, job, root, wanted))
    return field


def _try_out(field: "list[Contestant]", results: Path, before: Conditions) -> None:
    """Load each once. Children live on while half of the free memory holds them all, else none does."""
    budget = (before.memory_available or 0) // 2
    held = 0
    for contestant in field:
        twin = contestant.id.endswith(TWIN)
        contestant.try_out(None if twin else results / contestant.id)
        held += contestant.rss_loaded if contestant.alive else 0
        if contestant.job.kind == "smoke" or held > budget > 0:
            contestant.release()
    if held > budget > 0:
        for contestant in field:
            contestant.lasting = False
            contestant.release()


def _problem(job: Job, root: Path) -> Optional[str]:
    """Why this job cannot be run by anybody."""
    if job.kind not in KINDS:
        return f"unknown kind of job {job.kind!r}; this agent knows {', '.join(KINDS)}"
    if not job.entrants:
        return "the job names no entrant"
    for entrant in job.entrants:
        missing = [i for i in range(len(entrant.inputs)) if not (root / job.samples / f"{i}.npy").is_file()]
        if missing or not entrant.inputs:
            wanted = ", ".join(f"{i}.npy" for i in missing) or "any input"
            return f"no check samples for {entrant.id}: {job.samples} lacks {wanted}"
    return None


def _all_failed(field: Sequence[Contestant]) -> Optional[str]:
    if any(c.alive for c in field):
        return None
    return "; ".join(f"{c.id}: {c.failure.state}, {c.failure.words}" for c in field if c.failure)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
