"""Whether this machine was left in peace while a benchmark ran, by the thresholds that edgeq holds devices against."""

import contextlib
from collections.abc import Iterator

from edgeq.agent.conditions import read_conditions
from edgeq.agent.verdict import not_quiet
from edgeq.nouns.job import Thresholds


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """A list that holds the reasons why it was not quiet, once the block has ended; empty when it was."""
    reasons: list[str] = []
    before = read_conditions()
    yield reasons
    after = read_conditions()
    reasons += not_quiet(before, after, (before,), (), Thresholds())


def sentence(reasons: list[str]) -> str:
    return f"NOT QUIET: {'; '.join(reasons)}" if reasons else "the machine was quiet"
