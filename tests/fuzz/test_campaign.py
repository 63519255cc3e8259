"""What counts as a hang: computing for too long, or never answering; and not a machine that is busy with other things."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import campaign
from tests.fuzz.cpu_time import cpu_seconds

_COMPUTE = "while True: pass"
_IN_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_COMPUTE!r}])"
_WAIT = "import time; time.sleep(600)"


@pytest.fixture
def silence(monkeypatch):
    """What is said of a worker that runs `code` and writes nothing."""
    monkeypatch.setattr(campaign, "HANG_S", 1.5)
    monkeypatch.setattr(campaign, "_WAITS_S", 60.0)
    started = []

    def of(code):
        worker = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(worker)
        return campaign._silence(worker.pid, worker.stdout.fileno(), begun=True)

    yield of
    for worker in started:
        os.killpg(worker.pid, 9)
        worker.communicate()


@pytest.mark.parametrize("code", [_COMPUTE, _IN_A_CHILD], ids=["itself", "in a child"])
def test_computing_for_too_long_is_a_hang(silence, code):
    assert silence(code).startswith("computes for more than")


def test_waiting_is_a_hang_only_by_the_clock(silence, monkeypatch):
    monkeypatch.setattr(campaign, "_WAITS_S", 3.0)
    assert silence(_WAIT).startswith("gives no answer within 3 s of the clock")


def test_an_answer_after_a_wait_longer_than_the_cpu_limit_is_fine(silence):
    assert silence("import time; time.sleep(4); print(1, flush=True); time.sleep(600)") == ""


def test_the_time_of_a_child_that_has_ended_stays_counted():
    before = cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True)
    assert (
        cpu_seconds(os.getpid()) - before >= 0.4
    )  # the system counts in ticks of 10 ms, four counters of them


@pytest.mark.skipif(sys.platform != "linux", reason="prctl and pidfd are Linux's")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_campaign(how, tmp_path):
    """Not one that hangs either, which writes nothing and so does not notice that nobody reads."""
    command = [sys.executable, "-m", "tests.fuzz", "--reader", "known_hosts", "--executions", "100000000"]
    root = Path(__file__).parents[2]
    elsewhere = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=root, env=elsewhere) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        while running.poll() is None and not list(tmp_path.glob("edgeq-fuzz-*")):  # the worker's
            select.select([], [], [], 0.05)
        found = children.read_text().split()
        worker = os.pidfd_open(int(found[0]))
        signal.pidfd_send_signal(worker, signal.SIGSTOP)
        running.send_signal(how)
    try:
        assert select.select([worker], [], [], 60)[0], f"the worker {found[0]} goes on"
    finally:
        if not select.select([worker], [], [], 0)[0]:
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        os.close(worker)
