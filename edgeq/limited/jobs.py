"""How many runs of a model may go on at the same time. Each computes what it computes alone, so results are the same whatever
the number.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_JOBS: ContextVar[int] = ContextVar("jobs", default=1)


def jobs() -> int:
    return _JOBS.get()


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1


@contextmanager
def using(number: int) -> Iterator[None]:
    """So many within the block."""
    token = _JOBS.set(max(number, 1))
    try:
        yield
    finally:
        _JOBS.reset(token)
