"""A full disk, a read-only one, another user's folder, nonsense on stdin: each ends with a clear error, and what was live
stays live.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.agent.apps import what_is_live
from edgeq.agent.layout import Root
from edgeq.agent.os_errors import translated
from edgeq.errors import EdgeqError, NoSpace, ReadOnly, RemoteFailed
from tests.agent.files.device import Device, bundle, job, sha, wheel
from tests.conftest import missing

V1 = bundle(files={"candidates/ort/model.onnx": b"one"})
V2 = bundle(files={"candidates/ort/model.onnx": b"two"})


@pytest.fixture
def small_disk(device: Device, tmp_path: Path) -> Iterator[Device]:
    """A device whose root is a file system of 12 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        missing(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield replace(device, root=disk / "root")
    subprocess.run(["umount", str(disk)], check=True)


def fill(device: Device, leave: int) -> Path:
    hog = device.root.parent / "hog"
    info = os.statvfs(device.root)
    with hog.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, info.f_bavail * info.f_frsize - leave)
    return hog


@pytest.mark.lab
def test_a_full_disk_is_said_with_numbers_before_anything_is_written(small_disk: Device) -> None:
    token = small_disk.lock()
    small_disk.deploy(token, V1)
    small_disk.upload(*V2.files.values(), wheel())
    fill(small_disk, leave=2_000_000)

    with pytest.raises(NoSpace, match=r"needs 5.2 MB and .* has 2.0 MB free") as error:
        small_disk.call("install", token=token, manifest=V2.manifest.to_dict())
    assert error.value.live == f"net = {V1.digest[:7]} (ort)" and small_disk.live_model() == b"one"
    with pytest.raises(NoSpace, match="unpacking tiny"):
        small_disk.call("unpack", token=token, sha256=sha(wheel()), name=f"tiny-1.0-{sha(wheel())[:8]}")


@pytest.mark.lab
def test_who_holds_a_full_device_can_make_room_on_it(small_disk: Device) -> None:
    token = small_disk.lock()
    small_disk.upload(b"x" * 5_000_000)
    fill(small_disk, leave=0)

    assert small_disk.call("sweep", token=token)["bytes"] >= 5_000_000
    small_disk.call("unlock", token=token)


@pytest.mark.lab
def test_a_device_filled_by_an_upload_that_was_given_up_can_be_taken(small_disk: Device) -> None:
    small_disk.upload(b"x" * 5_000_000)
    fill(small_disk, leave=0)
    assert small_disk.lock()


@pytest.mark.lab
def test_a_device_filled_by_others(small_disk: Device) -> None:
    small_disk.root.mkdir()
    fill(small_disk, leave=0)
    with pytest.raises(NoSpace, match="no space left"):
        small_disk.lock()


@pytest.mark.lab
def test_a_job_whose_result_finds_no_room_does_not_come_back(small_disk: Device) -> None:
    """Else systemd would start the agent for it until it gives up on the service."""
    small_disk.call("submit", job=job("gone", samples="samples/none").to_dict())
    hog = fill(small_disk, leave=0)
    assert json.loads(small_disk.run("drain").stdout)["error"]["kind"] == "NoSpace"
    hog.unlink()
    assert small_disk.call("drain")["done"] == []


@pytest.mark.lab
def test_a_read_only_file_system(small_disk: Device) -> None:
    token = small_disk.lock()
    small_disk.deploy(token, V1)
    disk = str(small_disk.root.parent)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    with pytest.raises(ReadOnly, match="read-only") as error:
        small_disk.call("rollback", token=token, app="net")
    assert error.value.live == f"net = {V1.digest[:7]} (ort)"
    assert small_disk.call("status")["apps"][0]["live"] == V1.digest


def test_a_folder_of_another_user(device: Device) -> None:
    python = Path("/usr/bin/python3")  # one that any user may run
    if os.geteuid() != 0 or not python.exists():
        pytest.skip("only root can run the agent as another user, and with a Python of the system's")
    token = device.lock()
    device.deploy(token, V1)
    device.call("unlock", token=token)
    for path in (
        device.root.parent,
        device.archive,
        *(p for p in device.archive.parents if p.stat().st_mode & 0o005 != 0o005),
    ):
        path.chmod(0o755)
    done = replace(device, python=str(python)).run(
        "lock", b'{"who": "eve", "what": "a test"}', user=65534, group=65534, extra_groups=[]
    )
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "ReadOnly" and "permission denied" in error["what"]


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "expected an object"),
        (b"{}", "key 'app' is missing"),
        (b'{"token": 3, "app": "net"}', "expected str, got 3"),
        (b'{"token": "t", "app": "net", "force": true}', "unknown key 'force'"),
    ],
)
def test_nonsense_on_stdin(device: Device, stdin: bytes, words: str) -> None:
    done = device.run("rollback", stdin)
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1 and error["kind"] == "RemoteFailed" and words in error["what"]


def test_an_unknown_command_is_answered_with_the_known_ones(device: Device) -> None:
    with pytest.raises(RemoteFailed) as error:
        device.call("reboot")
    assert "rollback" in (error.value.remedy or "")


def test_a_wrong_command_line(device: Device) -> None:
    done = subprocess.run(
        [device.python, "-I", str(device.archive), "--rot", "x"], capture_output=True, check=False
    )
    assert done.returncode == 2 and done.stdout == b"" and b"usage:" in done.stderr


def test_a_bug_is_a_traceback_and_no_answer(device: Device, tmp_path: Path) -> None:
    """The same agent with a command that breaks: how a host tells a bug from an error."""
    code = (
        f"import sys; sys.path.insert(0, {str(device.archive)!r})\n"
        "from edgeq.agent.commands import status\n"
        "status.answer = lambda request, root: {}[0]\n"
        "from edgeq.agent.__main__ import main\n"
        f"sys.exit(main(['--root', {str(tmp_path)!r}, 'status']))"
    )
    done = subprocess.run([device.python, "-I", "-c", code], capture_output=True, check=False)
    assert done.returncode == 70 and done.stdout == b"" and b"KeyError" in done.stderr


def test_looking_at_a_device_leaves_nothing_on_it(device: Device) -> None:
    for command in ("status", "facts", "probe", "inventory", "results"):
        device.call(command)
    assert not device.root.exists()


def test_every_error_of_the_table_is_ours() -> None:
    import errno

    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
        error = translated(OSError(number, os.strerror(number), "/root/of/edgeq"))
        assert isinstance(error, EdgeqError) and "/root/of/edgeq" in error.what and error.remedy
    assert translated(OSError(errno.EBADF, "a bug")) is None


def test_an_error_leaves_out_what_is_live_where_that_cannot_be_read(tmp_path: Path) -> None:
    """No riddle such as "Live: unknown: Permission denied" below the error itself."""
    (tmp_path / "apps").write_text("no folder")
    assert what_is_live(Root(tmp_path), None) == ""
