"""How pytest spreads the tests over processes: one per core, none for a test that is named, one thread of BLAS in each.

`shared_folder` makes once what several workers need.
"""

import fcntl
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

# A worker with torch, LiteRT and a conversion in it.
_BYTES_PER_WORKER = 2 << 30


def one_thread_each() -> None:
    """In this process, the workers and whatever a test starts. Where several threads each wait for a core that another
    worker has, products take minutes that one thread does in a second."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    threadpool_limits(1, "blas")  # a plugin of pytest may have imported numpy by now


def ctrl_c_reaches_what_tests_start() -> None:
    """A shell lets what runs in its background ignore Ctrl-C, and so would the processes that tests send it to."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """For `-n auto`: none where single tests are named ("file.py::test"), which shows their output at once."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    if config.args and all("::" in word for word in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _memory() // _BYTES_PER_WORKER))


def shared_folder(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object], worker: str
) -> Path:
    """The folder `name`, filled by `make(folder)` in the first worker that asks; the others wait for it.

    `worker` is the fixture `worker_id` of pytest-xdist. Where `make` fails, the next worker that asks tries again.
    """
    base = factory.getbasetemp()
    folder = (base if worker == "master" else base.parent) / f"shared-{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = folder / ".whole"
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a worker left that failed at it
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


def _memory() -> int:
    """Bytes that this machine can still give."""
    for line in Path("/proc/meminfo").read_text().splitlines() if Path("/proc/meminfo").exists() else ():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 62
