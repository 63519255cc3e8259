"""A deployment to this machine that is ended from outside: nothing works on, nothing stays, nobody is locked out."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from edgeq.workflow.convert import convert
from edgeq.workflow.status import status

ROOT = Path(__file__).parents[2]
LONG = 60.0  # seconds; what is waited for takes a few


@pytest.fixture
def bundle(own_home: Path, tmp_path: Path) -> Path:
    model, data = (str(path) for path in demo_files())
    return convert(model, data=data, name="digits", output=tmp_path / "digits.edgeq").path


@contextlib.contextmanager
def measuring(bundle: Path) -> Iterator["subprocess.Popen[str]"]:
    """A first deployment whose race has begun."""
    words = ["deploy", str(bundle), "--root", "root", "--store", "s.db", "--seconds", "60"]
    child = subprocess.Popen(
        [sys.executable, "-m", "edgeq", *words],
        cwd=bundle.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: any((bundle.parent / "root/results").glob("*/onnxruntime-int8_static")))
        yield child
    finally:
        child.kill()
        child.communicate()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def agents_in(root: Path) -> list[str]:
    """Command lines of the agents that work in `root`, and of their children."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [words] if f"{root}/agent/" in words else []
    return found


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_nothing_works_on_and_nothing_stays(bundle: Path, number: signal.Signals, code: int) -> None:
    root = bundle.parent / "root"
    with measuring(bundle) as child:
        child.send_signal(number)
        out, err = child.communicate(timeout=LONG)

    assert (child.returncode, "Traceback" in out + err) == (code, False), out + err
    assert agents_in(root) == []
    for folder in ("results", "apps", "samples", "incoming"):
        assert list((root / folder).iterdir()) == []
    found = status(root=str(root)).status
    assert found is not None and (found.lock, found.apps) == (None, ())


def test_one_that_was_killed_locks_nobody_out(bundle: Path) -> None:
    root = bundle.parent / "root"
    with measuring(bundle) as child:
        child.kill()
        child.wait()
        found = status(root=str(root)).status
        assert found is not None and found.lock is None
        words = ["uninstall", "--everything", "--yes", "--root", "root"]
        again = subprocess.run(
            [sys.executable, "-m", "edgeq", *words],
            cwd=bundle.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
    assert again.returncode == 0
    until(lambda: agents_in(root) == [])  # what it had begun sees that the device is another's
    assert not root.exists()
