"""The whole line over an sshd that allows one session per connection: upload, race, activation, Ctrl-C, status."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from tests.end_to_end.command_line import edgeq, started_edgeq
from tests.lab.sshd import Sshd
from tests.transport.conftest import serving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LONG_S = 60.0


@pytest.fixture
def server() -> Iterator[Sshd]:
    with serving(options={"MaxSessions": "1"}) as running:
        yield running


def write_ssh_config(home: Path, server: Sshd) -> None:
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh/known_hosts").write_text(server.known_hosts_line)
    (home / ".ssh/config").write_text(
        f"Host box # this machine\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.identity}\n  Match final all\n"
    )


def test_deploy_and_interrupt(tmp_path: Path, own_home: Path, server: Sshd) -> None:
    write_ssh_config(own_home, server)
    model, data = demo_files()
    shutil.copy(model, tmp_path / "digits.onnx")
    shutil.copy(data, tmp_path / "digits.npz")
    root = tmp_path / "root"
    there = ("--target", "x86-64", "--host", "box", "--root", str(root))
    words = ("digits.onnx", "--data", "digits.npz", *there)

    done = edgeq(tmp_path, "deploy", *words, "--seconds", "2", "-v")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert f"{server.user}@127.0.0.1:{server.port}, from `ssh -G -T -- box`" in " ".join(done.stdout.split())
    again = edgeq(tmp_path, "deploy", *words, "--seconds", "2")
    assert "nothing was sent" in again.stdout

    looked = edgeq(tmp_path, "doctor", *there)
    assert f"reached by {server.user}@127.0.0.1:{server.port}, from `ssh -G" in " ".join(
        looked.stdout.split()
    )

    before = set(results(root))
    child = started_edgeq(tmp_path, "bench", *there, "--seconds", "60")
    until(lambda: bool(set(results(root)) - before))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LONG_S)
    assert (child.returncode, "Traceback" in out + err) == (130, False), out + err
    status = json.loads(edgeq(tmp_path, "status", *there, "--json").stdout)
    assert status["status"]["lock"] is None
    assert "opens no further session" not in done.stderr + again.stderr + out + err


def results(root: Path) -> list[Path]:
    """A candidate that is being measured has a folder."""
    return list((root / "results").glob("*/onnxruntime-*"))


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
