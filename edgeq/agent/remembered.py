"""How each candidate that went live is measured: the job that `activate` gave with it, kept inside its release.

It is also the only record of which wheels and check samples a release uses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from edgeq.agent.apps import live
from edgeq.agent.durable import write_json
from edgeq.agent.layout import Root
from edgeq.agent.manifest_rules import JOBS
from edgeq.agent.stored import Unreadable, read_json
from edgeq.nouns.job import Job
from edgeq.nouns.job_rules import problems_of_job
from edgeq.nouns.safe_names import is_sha256


@dataclass(frozen=True)
class Needs:
    """Folders in wheels/ and samples/ that something here uses. `complete` is False when a release does not say."""

    wheels: frozenset[str]
    samples: frozenset[str]
    complete: bool


def remember_job(root: Root, app: str, digest: str, candidate: str, job: Job) -> None:
    write_json(_path(root, app, digest, candidate), job.to_dict())


def remembered_job(root: Root, app: str, digest: str, candidate: str) -> Optional[Job]:
    return _read(_path(root, app, digest, candidate))


def job_of_live(root: Root, app: str) -> Optional[Job]:
    """The job that came with what is live, narrowed to the live candidate; None where none came."""
    now = live(root, app)
    known = remembered_job(root, app, now.digest, now.candidate) if now else None
    entrants = tuple(e for e in known.entrants if now and e.id == now.candidate) if known else ()
    return replace(known, kind="measure", entrants=entrants) if known and entrants else None


def needs(root: Root) -> Needs:
    """What all releases that went live, and all jobs that wait, need."""
    releases = [p for p in root.apps.glob("*/releases/*") if is_sha256(p.name) and p.is_dir()]
    jobs = [job for folder in releases for job in _jobs_of(folder)]
    complete = all(any(True for _ in _jobs_of(folder)) for folder in releases)
    jobs += [job for folder in (root.jobs, root.running) for job in _read_all(folder)]
    paths = [
        path for job in jobs for path in (job.samples, *(p for e in job.entrants for p in e.python_path))
    ]
    return Needs(_below("wheels", paths), _below("samples", paths), complete)


def _path(root: Root, app: str, digest: str, candidate: str) -> Path:
    return root.release(app, digest) / JOBS / f"{candidate}.json"


def _jobs_of(release: Path) -> Iterator[Job]:
    return _read_all(release / JOBS)


def _read_all(folder: Path) -> Iterator[Job]:
    found = (_read(path) for path in sorted(folder.glob("[!.]*.json")))
    return (job for job in found if job is not None)


def _read(path: Path) -> Optional[Job]:
    try:
        job = Job.from_dict(read_json(path))
    except (FileNotFoundError, Unreadable, ValueError):
        return None
    return job if not any(problems_of_job(job)) else None


def _below(folder: str, paths: list[str]) -> frozenset[str]:
    parts = [path.split("/") for path in paths]
    return frozenset(p[1] for p in parts if len(p) > 1 and p[0] == folder)
