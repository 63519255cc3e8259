"""`drain`: runs every waiting job, oldest first; the service calls it. Afterwards no file in jobs/ would start it again."""

import errno
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from edgeq.agent import lock, queue
from edgeq.agent.job_rules import read_job
from edgeq.agent.layout import Root
from edgeq.agent.perform import fail, no_job, perform_or_fail
from edgeq.agent.results import is_stored
from edgeq.agent.stored import Unreadable
from edgeq.errors import DeviceBusy, EdgeqError
from edgeq.nouns.record import Record

_LOOK_AGAIN_S = 1.0
_MEETS_EVERY_JOB = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_DIED = "the agent or the device stopped during this job; it is not repeated automatically"


@dataclass(frozen=True)
class Request(Record):
    """`wait_s`: how long a job waits for a host that holds the device."""

    wait_s: float = 1800.0


def answer(request: Request, root: Root) -> dict[str, object]:
    done: list[Optional[str]] = []
    stuck: set[Path] = set()
    with queue.only_drain(root) as alone:
        if alone:
            done += [
                id
                for path in queue.left_running(root)
                for id in _journal_errors(_fail_interrupted, root, path)
            ]
            while True:
                waiting = [path for path in queue.waiting(root) if path not in stuck]
                if not waiting:
                    break
                path, wait_s = _turn(root, waiting[0], request.wait_s)
                done += _journal_errors(_next, root, path, wait_s)
                if path in queue.waiting(root):
                    stuck.add(path)
    return {"done": [id for id in done if id is not None], "stuck": sorted(path.name for path in stuck)}


def _journal_errors(
    do: "Callable[..., Optional[str]]", root: Root, path: Path, *more: object
) -> "list[Optional[str]]":
    """What `do` says of the job in `path`. Whatever is wrong with one job (another user's folder, which cannot be moved; a
    file in the place of its result) goes to the journal, and the jobs behind it get their turn. Only a disk that is full
    or failing, which meets every job, is raised.
    """
    try:
        return [do(root, path, *more)]
    except (OSError, EdgeqError) as problem:
        if getattr(problem, "errno", None) in _MEETS_EVERY_JOB:
            raise
        print(f"{path.name}: {problem}", file=sys.stderr)
        return []


def _turn(root: Root, oldest: Path, wait_s: float) -> "tuple[Path, float]":
    """The job to run now, and for how many seconds it may still wait: first the one to which the holder delegated its lock,
    whose result the holder waits for; the oldest when nobody holds the device, or its wait is over.
    """
    end = time.monotonic() + wait_s
    while True:
        held = lock.holder(root)
        lent = root.jobs / f"{held.lent_to}.json" if held is not None and held.lent_to else None
        if lent is not None and lent.exists():
            return lent, 0.0
        left = max(end - time.monotonic(), 0.0)
        if held is None or left == 0.0:
            return oldest, left
        time.sleep(min(_LOOK_AGAIN_S, left))


def _next(root: Root, path: Path, wait_s: float) -> Optional[str]:
    """The id of the job that is done with now."""
    try:
        job = read_job(path)
    except Unreadable as reason:
        return _refuse(root, path, f"not a job: {reason}")
    except FileNotFoundError:  # taken back by hand
        return None
    with queue.taken_out(path):
        try:
            who, what = job.requested_by or "unknown", f"{job.kind} of {job.app}"
            with lock.taken(root, who, what, wait_s, job.id):
                claimed = queue.claim(root, path)
                if claimed is None:
                    return None
                with queue.taken_out(claimed):
                    perform_or_fail(root, job)
        except DeviceBusy as busy:
            fail(root, job, busy.what)
    return job.id


def _fail_interrupted(root: Root, path: Path) -> str:
    """A job that was running when the agent died last time."""
    try:
        job = read_job(path)
    except Unreadable:
        return _set_aside(root, path, _DIED)
    with queue.taken_out(path):
        if not is_stored(root, job.id):
            fail(root, job, _DIED)
    return job.id


def _refuse(root: Root, path: Path, why: str) -> Optional[str]:
    claimed = queue.claim(root, path)
    return None if claimed is None else _set_aside(root, claimed, why)


def _set_aside(root: Root, path: Path, why: str) -> str:
    id = queue.id_for(path)
    with queue.put_aside(root, path) as aside:
        if not is_stored(root, id):
            fail(root, no_job(id), f"{why}; it is in jobs/{ascii(aside.name)[1:-1]} now")
    return id
