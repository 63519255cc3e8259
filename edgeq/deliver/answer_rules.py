"""What must hold of a device's answers beyond the types of their fields, so that whoever reads one can rely on it.

Names, digests and paths become files and commands here; times, counts and orders are computed with.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from edgeq.nouns.answers import Inventory, LiveContract, Placed, Removed, ResultIds, Submitted, Token
from edgeq.nouns.device import Facts
from edgeq.nouns.job import UNREADABLE, Job
from edgeq.nouns.job_rules import problems_of_job
from edgeq.nouns.measurement import CONTROL, Measurement, Run
from edgeq.nouns.record import Record
from edgeq.nouns.release import App, DeviceStatus, Release
from edgeq.nouns.safe_names import is_name, is_sha256, problem_of_path

STATES = ("ok", "load_failed", "crashed", "timeout", "out_of_memory", "wrong")
_LONGEST_TEXT = 20_000  # characters: the reason of a failure with a runtime's own words has a few thousand
_LARGEST = 1 << 62  # of sizes in bytes and durations in ns: sums of two of them still have 64 bits
_MOST_RESULTS = 1000  # the agent keeps 200
_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){1,3}\S{0,20}", re.ASCII)


def problems_of(answer: Record) -> Iterator[str]:
    """Why `answer` is not taken; nothing where it may be."""
    yield from _value_problems(answer.to_dict(), type(answer).__name__)
    rules = _RULES.get(type(answer))
    if rules is not None:
        yield from rules(answer)


def _value_problems(value: object, where: str) -> Iterator[str]:
    """Of every text and every number, whatever it means. Sizes and times are not negative; figures with a sign of their
    own (temperatures) are small.
    """
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        yield f"{where}: text of {len(value)} characters, longer than {_LONGEST_TEXT}"
    elif isinstance(value, int) and not -_LARGEST < value < _LARGEST:
        yield f"{where}: {value} is too large"
    elif isinstance(value, dict):
        for key, item in value.items():
            if len(key) > _LONGEST_TEXT:
                yield f"{where}: key of {len(key)} characters, longer than {_LONGEST_TEXT}"
            yield from _value_problems(item, f"{where}.{key[:40]}")
    elif isinstance(value, list):
        if len(value) > 1000 and all(type(item) is int for item in value):
            value = [min(value), max(value)]  # samples of a race: the ends tell
        for i, item in enumerate(value):
            yield from _value_problems(item, f"{where}[{i}]")


def _of_facts(facts: Facts) -> Iterator[str]:
    yield from _path(facts.root, "root")
    if facts.cores < 1:
        yield f"cores {facts.cores}, must be at least 1"
    if facts.bits not in (32, 64):
        yield f"bits {facts.bits}, must be 32 or 64"
    if not _VERSION.fullmatch(facts.python):
        yield f"python {facts.python[:40]!r} is no version"
    sizes = ("memory_total", "memory_available", "root_free", "max_frequency_khz")
    yield from _not_negative(facts, *sizes)


def _of_status(status: DeviceStatus) -> Iterator[str]:
    yield from _path(status.root, "root")
    yield from _not_negative(status, "root_free", "root_used")
    for app in status.apps:
        yield from _of_app(app)
    for name, times in Counter(app.name for app in status.apps).items():
        if times > 1:
            yield f"app {name!r}: occurs {times} times"
    yield from _names("last_results", status.last_results)


def _of_app(app: App) -> Iterator[str]:
    yield from _names("app", (app.name,))
    yield from _path(app.path, "path")
    if app.kept is not None:
        yield from _path(app.kept, "kept")
    for digest in (app.live, app.previous):
        if digest is not None and not is_sha256(digest):
            yield f"digest {digest[:80]!r} is not 64 hex digits"
    if (app.live is None) != (app.candidate is None):
        yield "a candidate is live exactly where a release is"
    if app.candidate is not None:
        yield from _names("candidate", (app.candidate,))
    for release in app.releases:
        yield from _of_release(release)


def _of_release(release: Release) -> Iterator[str]:
    if not is_sha256(release.digest):
        yield f"digest {release.digest[:80]!r} is not 64 hex digits"
    yield from _not_negative(release, "bytes")


def _of_token(answer: Token) -> Iterator[str]:
    if not 0 < len(answer.token) <= 200 or not answer.token.isprintable():
        yield "token must have 1 to 200 printable characters"


def _of_inventory(answer: Inventory) -> Iterator[str]:
    yield from (f"have {sha[:80]!r} is not 64 hex digits" for sha in answer.have if not is_sha256(sha))
    yield from _names("wheels", answer.wheels)


def _of_placed(answer: Placed) -> Iterator[str]:
    problem = problem_of_path(answer.path)
    if problem or answer.path.partition("/")[0] not in ("samples", "wheels"):
        yield f"path {answer.path[:80]!r} is no folder of samples or wheels"


def _of_live_contract(answer: LiveContract) -> Iterator[str]:
    yield from _path(answer.path, "path")
    yield from _names("file", answer.files)


def _of_results(answer: ResultIds) -> Iterator[str]:
    yield from _names("results", answer.results)
    if len(answer.results) > _MOST_RESULTS:
        yield f"there are {len(answer.results)} results; at most {_MOST_RESULTS} are kept"


def _of_measurement(measurement: Measurement) -> Iterator[str]:
    job = measurement.job
    failed = measurement.state == "failed"
    if measurement.state not in ("done", "failed"):
        yield f"state {measurement.state[:40]!r}, must be done or failed"
    if job.kind == UNREADABLE and failed and not measurement.runs:
        yield from _names("job", (job.id,))
    else:
        yield from problems_of_job(job)
    yield from _of_facts(measurement.facts)
    yield from _times(measurement)
    yield from _attempts(measurement)
    ids = {entrant.id: len(entrant.outputs) for entrant in job.entrants}
    for name, times in Counter(run.entrant for run in measurement.runs).items():
        if name.removesuffix(CONTROL) not in ids:
            yield f"run {name[:80]!r}: the job has no such entrant"
        if times > 1:
            yield f"run {name[:80]!r}: occurs {times} times"
    if len(measurement.runs) < len(ids) and not failed:
        yield f"{len(measurement.runs)} runs of {len(ids)} entrants"
    for run in measurement.runs:
        for problem in _of_run(run, job.id, ids.get(run.entrant.removesuffix(CONTROL), 0)):
            yield f"run {run.entrant[:80]!r}: {problem}"


def _of_run(run: Run, job: str, outputs: int) -> Iterator[str]:
    if run.state not in STATES:
        yield f"state {run.state[:40]!r}; known: {', '.join(STATES)}"
    yield from _not_negative(run, "file_bytes", "load_ns", "first_ns")
    for block in run.blocks:
        yield from _not_negative(block, "round", "order", "load_ns", "first_ns", "cpu_ns")
        if min(block.latency_ns, default=0) < 0:
            yield f"negative latency of {min(block.latency_ns)} ns"
    if any(block.latency_ns for block in run.blocks) and not any(any(b.latency_ns) for b in run.blocks):
        yield "every latency is 0 ns"
    if run.memory is not None:
        yield from _not_negative(run.memory, *(name for name in vars(run.memory) if name != "absent"))
    if run.energy is not None and (
        run.energy.joules_per_inference < 0 or run.energy.kind not in ("measured", "estimated")
    ):
        yield "energy must not be negative, and its kind measured or estimated"
    if run.outputs is not None:
        if not 0 < run.outputs.count <= run.outputs.offered:
            yield f"outputs of {run.outputs.count} samples, where {run.outputs.offered} were offered"
        if len(run.outputs.files) != outputs:
            yield f"{len(run.outputs.files)} files of {outputs} outputs"
        for file in run.outputs.files:
            if problem_of_path(file) or not file.startswith(f"results/{job}/"):
                yield f"file {file[:80]!r} is not below results/{job}"


def _times(measurement: Measurement) -> Iterator[str]:
    """Both can be read and follow each other: the clock may be years off, but it is one clock."""
    try:
        started, finished = map(datetime.fromisoformat, (measurement.started_utc, measurement.finished_utc))
        if started.utcoffset() is None or finished.utcoffset() is None:
            yield "times without a time zone"
    except (ValueError, OverflowError):
        yield f"times {measurement.started_utc[:40]!r} and {measurement.finished_utc[:40]!r} are no ISO 8601 times"


def _attempts(measurement: Measurement) -> Iterator[str]:
    """They follow each other and hold every round."""
    next_round = 0
    for attempt in measurement.attempts:
        yield from _not_negative(attempt, "first_round", "rounds", "waited_ns")
        if attempt.first_round != next_round:
            yield f"attempts: one begins with round {attempt.first_round}, not {next_round}"
        next_round = attempt.first_round + attempt.rounds
    last = max((block.round for run in measurement.runs for block in run.blocks), default=-1)
    if last >= next_round:
        yield f"attempts: round {last} belongs to none of {len(measurement.attempts)}"


def _path(path: str, what: str) -> Iterator[str]:
    if not path.startswith("/") or len(path) > 4096 or not path.isprintable():
        yield f"{what} {path[:80]!r} is not an absolute path"


def _names(what: str, names: tuple[str, ...]) -> Iterator[str]:
    yield from (
        f"{what} {name[:80]!r} must have letters, digits and ._+- only" for name in names if not is_name(name)
    )


def _not_negative(record: Record, *names: str) -> Iterator[str]:
    for name in names:
        value = getattr(record, name)
        if value is not None and value < 0:
            yield f"{name} {value} is negative"


_RULES: dict[type[Record], Callable[[Any], Iterator[str]]] = {
    Facts: _of_facts,
    DeviceStatus: _of_status,
    App: _of_app,
    Release: _of_release,
    Job: problems_of_job,
    Measurement: _of_measurement,
    Token: _of_token,
    Inventory: _of_inventory,
    LiveContract: _of_live_contract,
    Placed: _of_placed,
    Submitted: lambda answer: _names("id", (answer.id,)),
    ResultIds: _of_results,
    Removed: lambda answer: _not_negative(answer, "bytes"),
}
