"""Runs one job and stores its result; a job that cannot be run is a result too. Knows no runtime and no sensor."""

import traceback
from collections.abc import Callable
from typing import Optional

from edgeq.agent.clock import utc_now
from edgeq.agent.layout import Root, agent_name
from edgeq.agent.results import forget, fresh_folder, is_stored, read_result, store
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import UNREADABLE, Job
from edgeq.nouns.measurement import Measurement


def perform(root: Root, job: Job, is_cancelled: Callable[[], bool] = lambda: False) -> Measurement:
    """Do `job` now, under the lock that the caller holds. A job that has a result is not run again. Raises RemoteFailed
    when it `is_cancelled`; nothing of it stays.
    """
    if is_stored(root, job.id):
        return read_result(root, job.id)
    from edgeq.agent.active_entrant import Abandoned
    from edgeq.agent.measure import run_job

    folder = fresh_folder(root, job.id)
    try:
        measurement = run_job(job, str(root.path), agent_name(), str(folder), is_cancelled)
    except Abandoned:
        forget(root, job.id)
        raise RemoteFailed(f"job {job.id} was abandoned by {job.requested_by or 'its host'}") from None
    store(root, measurement)
    return measurement


def perform_or_fail(root: Root, job: Job) -> Measurement:
    """For the service: a fault of the agent itself becomes the job's result, and the next job
    gets its turn. The traceback goes to stderr, which is the journal.
    """
    try:
        return perform(root, job)
    except OSError:
        raise  # a disk that is full or gone meets every job
    except Exception as error:
        traceback.print_exc()
        return fail(root, job, f"the agent failed: {type(error).__name__}: {error}")


def fail(root: Root, job: Job, why: str, started_utc: Optional[str] = None) -> Measurement:
    """Store that `job` failed, and why."""
    from edgeq.agent.conditions import read_conditions
    from edgeq.agent.facts import read_facts

    conditions = read_conditions()
    measurement = Measurement(
        job=job,
        state="failed",
        agent=agent_name(),
        started_utc=started_utc or utc_now(),
        finished_utc=utc_now(),
        facts=read_facts(str(root.path)),
        before=conditions,
        after=conditions,
        runs=(),
        quiet=False,
        not_quiet=("nothing was measured",),
        error=why,
    )
    store(root, measurement)
    return measurement


def no_job(id: str) -> Job:
    """Stands for a job file that nobody can read, in the result that says so."""
    return Job(id=id, kind=UNREADABLE, app="", entrants=(), samples="")
