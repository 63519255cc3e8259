"""Somebody else on the device keeps a file of edgeq's locked: nobody waits for ever, and the error says who it is."""

import os
import pwd
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edgeq.agent import lock
from edgeq.agent.layout import Root
from edgeq.errors import DeviceBusy
from tests.agent.files.device import Device

Hold = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """A process, of another user where one is named, that has a file or folder locked until it is ended."""
    holding: list[subprocess.Popen[bytes]] = []

    def start(path: Path, user: "str | None" = None) -> "subprocess.Popen[bytes]":
        words = ["flock", "--close", str(path), "sh", "-c", "echo; cat"]
        process = subprocess.Popen(words, stdin=-1, stdout=-1, user=user, cwd="/")
        holding.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    for process in holding:
        process.kill()
        process.communicate()


@pytest.fixture
def root() -> Iterator[Root]:
    """Where another user gets to, too."""
    with TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "root").mkdir(mode=0o755)
        yield Root(Path(folder) / "root")


@pytest.fixture
def other_user() -> str:
    if os.geteuid() != 0:
        pytest.skip("running a process of another user needs root")
    return pwd.getpwnam("nobody").pw_name


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "GUARD_S", 0.3)


def test_a_guard_that_another_process_keeps_ends_in_its_name(root: Root, hold: Hold) -> None:
    lock.take(root, "ann", "a test")
    other = hold(root.lock_guard)
    with pytest.raises(
        DeviceBusy, match=rf"process {other.pid} \(flock\) of user .* has locked .*/lock"
    ) as busy:
        lock.take(root, "ben", "another")
    assert busy.value.remedy and f"ps -fp {other.pid}" in busy.value.remedy
    other.kill()
    other.wait()
    with pytest.raises(DeviceBusy, match="is busy: .* by ann"):
        lock.take(root, "ben", "another")


def test_who_has_no_business_in_the_root_cannot_even_open_the_guard(root: Root, other_user: str) -> None:
    lock.take(root, "ann", "a test")
    opened = subprocess.run(
        ["cat", root.lock_guard], user=other_user, capture_output=True, cwd="/", check=False
    )
    assert opened.returncode != 0 and b"ermission" in opened.stderr


def test_a_guard_of_an_older_edgeq_is_closed_to_them(root: Root) -> None:
    root.lock_guard.write_text("")
    root.lock_guard.chmod(0o664)
    lock.take(root, "ann", "a test")
    assert stat.S_IMODE(root.lock_guard.stat().st_mode) == 0o600


def test_a_shared_roots_guard_is_its_groups(root: Root) -> None:
    root.path.chmod(0o2775)
    before = os.umask(0o002)
    try:
        lock.take(root, "ann", "a test")
    finally:
        os.umask(before)
    assert stat.S_IMODE(root.lock_guard.stat().st_mode) == 0o660


def test_another_user_in_the_turn_is_not_waited_for_long(root: Root, hold: Hold, other_user: str) -> None:
    token = lock.take(root, "ann", "a test").token
    other = hold(root.path, other_user)
    start = time.monotonic()
    with (
        pytest.raises(DeviceBusy, match=f"process {other.pid} .* of user nobody has locked"),
        lock.held(root, token),
    ):
        pass
    assert time.monotonic() - start < 10


def test_an_own_command_in_the_turn_is_waited_for(root: Root, hold: Hold) -> None:
    """The first answer got lost with its connection; the command itself works on, longer than another user may."""
    token = lock.take(root, "ann", "a test").token
    other = hold(root.path)
    subprocess.Popen(["sh", "-c", f"sleep 1; kill {other.pid}"])
    with lock.held(root, token):
        assert other.wait(5) is not None


@pytest.mark.slow
def test_a_deploy_meets_it_as_an_error_of_the_agent(device: Device, hold: Hold) -> None:
    device.lock()
    other = hold(device.root / "lock")
    start = time.monotonic()
    with pytest.raises(DeviceBusy, match=f"process {other.pid}"):
        device.call("lock", who="ben@host", what="a test")
    assert time.monotonic() - start < 60
