"""Asks the agent to run models and fetches what it measured."""

import contextlib
import getpass
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.fetched_array import LARGEST_ARRAY, read_array
from edgeq.deliver.results import require_result_of
from edgeq.errors import DeviceError
from edgeq.nouns.bundle import Candidate
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.measurement import Measurement, Run
from edgeq.nouns.progress import Progress

# Loading, the check samples and shutting down come on top of the time that a job may measure.
_OVERHEAD_S = 600.0
_TICK_S = 0.2
_LEAST_CHECK_S, _LONGEST_CHECK_S = 5.0, 60.0  # of one candidate's outputs
_ENDS_WITHIN_S = 30.0


def entrant(
    candidate: Candidate, app: str, digest: str, python_path: tuple[str, ...], threads: int, title: str
) -> Entrant:
    """A candidate of an installed release, as the agent finds it below its root."""
    return Entrant(
        id=candidate.id,
        runtime=candidate.runtime,
        model=f"apps/{app}/releases/{digest}/{candidate.model}",
        digest=digest,
        inputs=candidate.inputs,
        outputs=candidate.outputs,
        python_path=python_path,
        threads=threads,
        title=title,
    )


def make_job(
    kind: str,
    app: str,
    entrants: tuple[Entrant, ...],
    samples: str,
    limits: Limits,
) -> Job:
    """A job with an id of its own that sorts by time."""
    now = datetime.now(UTC)
    return Job(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}",
        kind=kind,
        app=app,
        entrants=entrants,
        samples=samples,
        limits=limits,
        requested_by=f"{getpass.getuser()}@{socket.gethostname()}",
        created_utc=now.isoformat(timespec="seconds"),
    )


def work(link: AgentLink, token: str | None, job: Job, tell: Callable[[Progress], None]) -> Measurement:
    """Run `job` on the device now and wait for its result."""
    answers: list[Measurement] = []
    failures: list[BaseException] = []
    timeout_s = longest_s(job)

    def ask() -> None:
        try:
            found = link.call("work", {"token": token, "job": job.to_dict()}, timeout_s=timeout_s)
            answers.append(require_result_of(job, found, link))
        except BaseException as error:
            failures.append(error)

    start = time.monotonic()
    worker = threading.Thread(
        target=ask, daemon=True
    )  # a daemon, so that Ctrl-C does not wait for the device
    worker.start()
    try:
        while worker.is_alive():
            worker.join(_TICK_S)
            tell(measuring(job, time.monotonic() - start))
    except BaseException:  # Ctrl-C: the device is not left working for nobody
        with contextlib.suppress(DeviceError):
            link.call("withdraw", {"id": job.id, "token": token}, timeout_s=_ENDS_WITHIN_S)
        raise
    if failures:
        raise failures[0]
    return answers[0]


def measuring(job: Job, spent: float) -> Progress:
    """How far `job` is after `spent` seconds, of those that its limits give: outputs compared, a quiet device waited for,
    which a race alone does, and measured. Loading the models is not among them.
    """
    measured = job.limits.seconds * (2 if job.kind == "race" else 1)
    total = measured + job.limits.check_seconds * len(job.entrants)
    return Progress("measure", min(spent, total), total, "s")


def longest_s(job: Job) -> float:
    """Seconds after which a device that says nothing is given up."""
    return _OVERHEAD_S + (job.limits.seconds + job.limits.load_seconds) * (len(job.entrants) + 1)


def fetch_outputs(link: AgentLink, run: Run) -> tuple[np.ndarray, ...]:
    """The outputs of the check samples, one array per output, shape [count, *output shape]. Raises RemoteFailed for a file
    that is no such array.
    """
    if run.outputs is None:
        return ()
    arrays = []
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        for i, path in enumerate(run.outputs.files):
            file = Path(folder) / f"{i}.npy"
            link.transport.get(f"{link.root}/{path}", file, most_bytes=LARGEST_ARRAY)
            arrays.append(read_array(file, run.outputs.count, f"{path} on {link.transport.label}"))
    return tuple(arrays)


def bounded(limits: Limits, entrants: int, *, emulated: bool) -> Limits:
    """`limits` with the comparison of outputs within as long again as the race: each of the `entrants` has its share of
    `limits.seconds`, 5 s at least. An emulated device runs one round, since its timings are not representative.
    """
    share = max(limits.seconds / max(entrants, 1), _LEAST_CHECK_S)
    if not emulated:
        return replace(limits, check_seconds=min(limits.check_seconds, share))
    return replace(
        limits,
        seconds=min(limits.seconds, 10.0),
        min_rounds=1,
        max_rounds=1,
        block_ms=1.0,
        check_seconds=min(_LONGEST_CHECK_S, share),
    )
