"""The one place where what a device says becomes values: the agent's answers and failures, key=value lines, JSON lines.

Somebody else may have taken the device over. Whatever it says, what comes out is checked, or is an error of edgeq's. How
much it may say at all is the transport's business (transport/base.py), how it looks on a screen edgeq/cli's.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar, cast

from edgeq import errors
from edgeq.deliver.answer_rules import problems_of
from edgeq.nouns.answers import (
    Failure,
    Inventory,
    LiveContract,
    Nothing,
    Placed,
    Removed,
    ResultIds,
    Submitted,
    Token,
    Withdrawn,
)
from edgeq.nouns.device import Conditions, Facts
from edgeq.nouns.job import Job
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.measurement import Block, Measurement
from edgeq.nouns.record import Record
from edgeq.nouns.release import App, DeviceStatus, Release
from edgeq.transport.base import Completed

V = TypeVar("V")

ANSWERS: dict[str, type[Record]] = {
    "activate": App,
    "contract": LiveContract,
    "discard": App,
    "expand": Nothing,
    "facts": Facts,
    "install": Release,
    "inventory": Inventory,
    "lock": Token,
    "probe": Conditions,
    "remembered": Job,
    "remove": Removed,
    "result": Measurement,
    "results": ResultIds,
    "rollback": App,
    "samples": Placed,
    "status": DeviceStatus,
    "submit": Submitted,
    "sweep": Removed,
    "unlock": Nothing,
    "unpack": Placed,
    "withdraw": Withdrawn,
    "work": Measurement,
}
# What only this side can know of the way to a device; a device that says it says something else.
_NOT_ITS_OWN = (errors.Unreachable, errors.HostKeyRefused, errors.AuthRefused, errors.LinkLost)
_NAMED = 5  # problems of an answer
_LONGEST_LINE = 600  # characters of one that is shown
_MOST_LINES = 40
_LINE_BREAKS = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")  # all at which str.splitlines() breaks


def agent_answer(done: Completed, command: str, label: str) -> Any:
    """What the agent on `label` answered to `command`, as its class in ANSWERS. Raises the error that it reports, RemoteFailed
    where it broke or where its answer is none.
    """
    try:
        said = parse_json(done.stdout)
    except ValueError as error:
        if done.code == 0:
            raise _no_answer(command, label, [str(error)]) from None
        raise errors.RemoteFailed(
            f"the agent on {label} broke in `{command}` (exit code {done.code})",
            "run it again; if it happens again, `edgeq doctor` shows what the device can do",
            details=last_lines(done.stderr or done.stdout, 8),
        ) from None
    if done.code != 0:
        raise _failure(said, command, label)
    try:
        answer = ANSWERS[command].from_dict(said)
    except ValueError as error:
        raise _no_answer(command, label, [str(error)]) from None
    problems = [problem for problem, _ in zip(problems_of(answer), range(_NAMED), strict=False)]
    if problems:
        raise _no_answer(command, label, problems)
    return _on_one_line(answer)


def key_values(stdout: bytes) -> dict[str, str]:
    """Lines of the form key=value; of a key that stands there twice the last. Other lines, of a login script, are passed over."""
    lines = stdout.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def json_lines(stdout: bytes, what: str) -> Iterator[dict[str, object]]:
    """The object on each line. Raises RemoteFailed, in which `what` says whose lines they are, for a line that has none."""
    for line in stdout.split(b"\n"):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            raise errors.RemoteFailed(f"{what} cannot be read: {error}", "run it again") from None
        if not isinstance(value, dict):
            raise errors.RemoteFailed(f"{what} cannot be read: a line is no object", "run it again")
        yield value


def last_lines(text: bytes, count: int) -> tuple[str, ...]:
    """The last `count` lines of what a command said, for the details of an error."""
    tail = text[-_LONGEST_LINE * count :].decode("utf-8", "replace").strip()
    return tuple(_cut(line) for line in tail.splitlines()[-count:])


def _on_one_line(value: V) -> V:
    """What stands in the middle of lines that edgeq writes: a line break in it would begin a line of the device's own. After
    the checks: a path with a line break is refused, not mended. A job is ours; the error of a run is a runtime's own words,
    which have several lines.
    """
    changed: Any = value
    if isinstance(value, str):
        changed = _LINE_BREAKS.sub(" ", value)
    elif isinstance(value, dict):
        changed = {_on_one_line(key): _on_one_line(item) for key, item in value.items()}
    elif isinstance(value, tuple):
        changed = tuple(map(_on_one_line, value))
    elif isinstance(value, Record) and not isinstance(value, (Job, Block)):  # a Block has numbers alone, many
        parts = {name: _on_one_line(part) for name, part in vars(value).items() if name != "error"}
        changed = replace(value, **parts)  # type: ignore[type-var]  # every Record is a dataclass
    return cast(V, changed)


def _failure(said: object, command: str, label: str) -> errors.EdgeqError:
    try:
        told = Failure.from_dict(said["error"] if isinstance(said, dict) and "error" in said else said)
    except ValueError as error:
        return _no_answer(command, label, [str(error)])
    failure = errors.from_dict(
        {
            "kind": told.kind,
            "what": _cut(f"{label}: {told.what}"),  # the device does not know how it is called here
            "remedy": _cut(told.remedy) if told.remedy else None,
            "details": [_cut(line) for line in told.details[:_MOST_LINES]],
            "live": _cut(told.live) if told.live else None,
        }
    )
    if isinstance(failure, _NOT_ITS_OWN):
        return errors.RemoteFailed(failure.what, failure.remedy, details=failure.details, live=failure.live)
    return failure


def _no_answer(command: str, label: str, problems: list[str]) -> errors.RemoteFailed:
    return errors.RemoteFailed(
        f"what {label} answered to `{command}` is not what the agent answers",
        "run it again; if it happens again, a login script prints (`ssh <device> true` has to print nothing: let ~/.bashrc and its like "
        "print in interactive shells alone), the device's memory or disk is failing, or another program answers in the "
        "agent's place",
        details=[_cut(problem) for problem in problems],
    )


def _cut(line: str) -> str:
    line = _on_one_line(line)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."
