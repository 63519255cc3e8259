"""How many runs of a model, and how many parts of a layer's fit, may go on at the same time. Each computes what it computes alone,
so results are the same whatever the number.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")

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


def at_once(work: Callable[[Given], Found], given: Iterable[Given]) -> list[Found]:
    """What `work` makes of each, in their order; so many at the same time, in threads: for work that numpy does, which lets other
    threads run meanwhile. Raises what the first that fails raises.
    """
    parts = list(given)
    threads = min(jobs(), len(parts))
    if threads < 2:
        return [work(part) for part in parts]
    pool = ThreadPoolExecutor(threads, thread_name_prefix="edgeq-job")
    try:
        contexts = [copy_context() for _ in parts]  # np.errstate, for one
        return list(pool.map(lambda context, part: context.run(work, part), contexts, parts))
    finally:
        pool.shutdown(cancel_futures=True)
