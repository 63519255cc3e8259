"""Does a Host or Match line of an ssh configuration hold? For machines without an OpenSSH client that could say.

A criterion that is not known here never holds, so that nobody logs in with settings meant for another network.
"""

import fnmatch
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeq.errors import Unreachable

from .ssh_tokens import Names, local_user, replace_tokens

_ALONE = ("all", "canonical", "final")
_KNOWN = (*_ALONE, "host", "originalhost", "user", "localuser", "exec")
_COMMAND_WITHIN_S = 30.0


@dataclass(frozen=True)
class Criterion:
    """One condition of a Match line; `value` is None for those that stand alone, `negated` by a leading !."""

    name: str
    value: str | None
    negated: bool

    @property
    def known(self) -> bool:
        return self.name in _KNOWN


def criteria_of(words: Sequence[str]) -> tuple[Criterion, ...]:
    """From `host a,b !exec "x y" user=me`. Up to the first criterion that is not known: nothing tells where its value
    ends. Raises ValueError for a criterion without its value, and for `all` beside others.
    """
    found = tuple(_criteria(words))
    if not found:
        raise ValueError("Match needs a condition")
    if any(c.name == "all" for c in found[:-1]) or (
        found[-1].name == "all" and any(c.name not in _ALONE for c in found)
    ):
        raise ValueError("Match all takes no other conditions than canonical or final before it")
    return found


def _criteria(words: Sequence[str]) -> Iterator[Criterion]:
    left = iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        negated = name.startswith("!")
        name = name.removeprefix("!").lower()
        if name not in _KNOWN:
            yield Criterion(name, None, negated)
            return
        if name in _ALONE:
            yield Criterion(name, None, negated)
            continue
        given = value if equals else next(left, "")
        if not given:
            raise ValueError(f"Match {name} needs a value")
        yield Criterion(name, given, negated)


def match_holds(criteria: Sequence[Criterion], names: Names, final: bool) -> bool:
    """`names` are what the settings so far say. Commands run only where everything before them holds."""
    return all(c.known and _holds(c, names, final) != c.negated for c in criteria)


def _holds(criterion: Criterion, names: Names, final: bool) -> bool:
    value = criterion.value or ""
    match criterion.name:
        case "all":
            return True
        case "canonical" | "final":
            return final
        case "host":
            return in_list(names.host.lower(), value.lower())
        case "originalhost":
            return in_list(names.original.lower(), value.lower())
        case "user":
            return in_list(names.user, value)
        case "localuser":
            return in_list(local_user(), value)
    return _succeeds(replace_tokens(value, names.in_files()))


def host_holds(words: Sequence[str], host: str) -> bool:
    """Host a *.b !c: one pattern matches, and none that is negated."""
    return _any_and_none_negated(host, words)


def in_list(name: str, patterns: str) -> bool:
    return _any_and_none_negated(name, patterns.split(","))


def _any_and_none_negated(name: str, patterns: Sequence[str]) -> bool:
    if any(p.startswith("!") and _glob(name, p[1:]) for p in patterns):
        return False
    return any(not p.startswith("!") and _glob(name, p) for p in patterns)


def _glob(name: str, pattern: str) -> bool:
    """* and ?, nothing else: [ is part of a name."""
    escaped = re.sub(r"\[", "[[]", pattern)
    return fnmatch.fnmatchcase(name, escaped)


def _succeeds(command: str) -> bool:
    """As OpenSSH runs it: the user's shell, no input, no output. Raises Unreachable past the time limit."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        done = subprocess.run(
            [shell, "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_WITHIN_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Unreachable(
            f"the ssh configuration cannot be used: Match exec {command!r} did not end: {error}",
            "run that command by hand, or take the Match line out",
        ) from error
    return done.returncode == 0
