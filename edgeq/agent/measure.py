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
from edgeq.nouns.measurement import CONTROL, Attempt, Measurement

from .active_entrant import ActiveEntrant
from .attempts import raced
from .conditions import read_conditions
from .energy_use import account_energy
from .facts import read_facts
from .verdict import not_quiet


def run_job(
    job: Job, root: str, agent: str, results_dir: str, is_cancelled: Callable[[], bool] = lambda: False
) -> Measurement:
    """Measure `job`; outputs of the check samples are written to `results_dir`/<entrant>/<k>.npy.

    `agent` is the version that the measurement names. Progress goes to stderr as JSON lines. Raises Abandoned, all
    children ended, soon after the job `is_cancelled`.
    """
    started, facts, before = _now(), read_facts(root), read_conditions()
    entrants = build_entrants(job, Path(root).absolute(), is_cancelled)
    problem = _problem(job, Path(root))
    attempts: tuple[Attempt, ...] = ()
    series: tuple[Conditions, ...] = ()
    energy_absent: dict[str, str] = {}
    with ExitStack() as stack:
        for entrant in entrants:
            stack.callback(entrant.release)
        if problem is None:
            _smoke_test(entrants, Path(results_dir).absolute(), before)
        if problem is None and job.kind != "smoke":
            attempts, series = raced(entrants, job, is_cancelled)
            energy_absent = account_energy(entrants, job)
    after = read_conditions()
    runs = tuple(c.to_run() for c in entrants)
    reasons = attempts[-1].not_quiet if attempts else not_quiet(before, after, series, runs, job.thresholds)
    problem = problem or _all_failed(entrants)
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


def build_entrants(
    job: Job, root: Path, is_cancelled: Callable[[], bool] = lambda: False
) -> "list[ActiveEntrant]":
    """The entrants in the job's order; in a race the A/A control, the reference once more, stands second in a
    process of its own, so that what differs between two processes of the same file is part of the noise floor.
    """
    entrants = [ActiveEntrant(spec.id, spec, job, root, is_cancelled) for spec in job.entrants]
    if job.kind == "race" and entrants:
        reference = job.entrants[0]
        entrants.insert(1, ActiveEntrant(reference.id + CONTROL, reference, job, root, is_cancelled))
    return entrants


def _smoke_test(entrants: "list[ActiveEntrant]", results: Path, before: Conditions) -> None:
    """Load each once. Children live on while half of the free memory holds them all, else none does."""
    budget = (before.memory_available or 0) // 2
    held = 0
    for entrant in entrants:
        is_control = entrant.id.endswith(CONTROL)
        entrant.smoke_test(None if is_control else results / entrant.id)
        held += entrant.rss_loaded if entrant.alive else 0
        if entrant.job.kind == "smoke" or held > budget > 0:
            entrant.release()
    if held > budget > 0:
        for entrant in entrants:
            entrant.lasting = False
            entrant.release()


def _problem(job: Job, root: Path) -> Optional[str]:
    """Why this job cannot be run by anybody."""
    if job.kind not in KINDS:
        return f"unknown kind of job {job.kind!r}; this agent knows {', '.join(KINDS)}"
    if not job.entrants:
        return "the job names no entrant"
    for entrant in job.entrants:
        missing = [i for i in range(len(entrant.inputs)) if not (root / job.samples / f"{i}.npy").is_file()]
        if missing or not entrant.inputs:
            lacks = ", ".join(f"{i}.npy" for i in missing) or "any input"
            return f"no check samples for {entrant.id}: {job.samples} lacks {lacks}"
    return None


def _all_failed(entrants: Sequence[ActiveEntrant]) -> Optional[str]:
    if any(c.alive for c in entrants):
        return None
    return "; ".join(f"{c.id}: {c.failure.state}, {c.failure.words}" for c in entrants if c.failure)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
