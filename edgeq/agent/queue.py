"""The folder of jobs: put in, listed, claimed, taken out. A job is moved away before any work is done for it, so that
one that kills the agent, or is no job at all, does not come back.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from edgeq.agent.durable import is_temporary, make_folder, move, remove_file, write_json
from edgeq.agent.flocked import lock_now
from edgeq.agent.layout import Root
from edgeq.agent.lock import guarded, open_guard
from edgeq.agent.others_files import free_name
from edgeq.nouns.job import Job
from edgeq.nouns.safe_names import is_name

_LONGEST_NAME = 200  # bytes; with what is added it stays below the 255 of Linux


def put(root: Root, job: Job) -> None:
    """Under the guard, so that `sweep` does not take the file for a leftover while it is written."""
    make_folder(root.running)
    with guarded(root):
        write_json(root.jobs / f"{job.id}.json", job.to_dict())


def waiting(root: Root) -> list[Path]:
    """Whatever is called *.json, oldest first; that is also what systemd's path unit looks for."""
    paths = [p for p in root.jobs.glob("*.json") if not is_temporary(p)]
    return sorted(paths, key=lambda p: (p.lstat().st_mtime_ns, p.name))


def left_running(root: Root) -> list[Path]:
    return sorted(p for p in root.running.glob("*.json") if not is_temporary(p))


def claim(root: Root, path: Path) -> Optional[Path]:
    """None when whoever asked for it has taken it back in this very moment."""
    make_folder(root.running)
    claimed = root.running / path.name
    try:
        move(path, claimed)
    except FileNotFoundError:
        return None
    return claimed


def take_back(root: Root, id: str) -> bool:
    """Whether the job still waited; it does not any more. Of one that was claimed nothing is changed."""
    try:
        (root.jobs / f"{id}.json").unlink()
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def taken_out(path: Path) -> Iterator[None]:
    """Whatever happens inside, the file is gone afterwards: also where the disk has no room for the result, for then
    systemd would start the agent for the same job again and again. The error itself reaches the journal.
    """
    try:
        yield
    finally:
        remove_file(path)


@contextlib.contextmanager
def put_aside(root: Root, path: Path) -> Iterator[Path]:
    """Like `taken_out`, for what is no job and hence somebody else's: afterwards it lies in jobs/ under the name given here,
    which does not end in .json.
    """
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    aside = free_name(root.jobs / f"{name}.refused")
    try:
        yield aside
    finally:
        move(path, aside)


def id_for(path: Path) -> str:
    """The id of the result for a file that is no job: its own name where that is one."""
    if is_name(path.stem):
        return path.stem
    return "refused-" + hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]


@contextlib.contextmanager
def only_drain(root: Root) -> Iterator[bool]:
    """True for one process at a time; a second one has nothing to do, for the first takes every job there is."""
    make_folder(root.running)
    handle = open_guard(root.running / ".draining")
    try:
        yield lock_now(handle)
    finally:
        os.close(handle)
