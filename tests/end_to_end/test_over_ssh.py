"""What a user types for a device of their own: a project file, a host key never seen before, a service."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from tests.end_to_end.command_line import edgeq, started_edgeq
from tests.lab.device import LabDevice

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def folder(tmp_path: Path, own_home: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, and an ssh configuration that knows how to log in but no host key."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(wheels))
    model, data = demo_files()
    shutil.copy(model, tmp_path / "digits.onnx")
    shutil.copy(data, tmp_path / "digits.npz")
    (own_home / ".ssh").mkdir(mode=0o700)
    return tmp_path


def write_ssh_config(device: LabDevice) -> None:
    """As `ssh` users have it: the alias `box` stands for address, user and key."""
    config = f"Host box\n  HostName {device.ip}\n  User {device.user}\n  IdentityFile {device.key}\n"
    (Path(os.environ["HOME"]) / ".ssh" / "config").write_text(config)


@pytest.mark.slow
def test_one_word_is_all_that_is_typed(folder: Path, x86_device: LabDevice) -> None:
    write_ssh_config(x86_device)
    assert edgeq(folder, "init", "--target", "x86-64-vnni", "--host", "box").returncode == 0

    refused = edgeq(folder, "deploy", "--target", "x86-64-vnni", "--seconds", "2")
    assert refused.returncode == 31
    assert "SHA256:" in refused.stderr
    assert "--accept-new-host-key" in refused.stderr

    done = edgeq(folder, "deploy", "--target", "x86-64-vnni", "--seconds", "2", "--accept-new-host-key")
    assert done.returncode in (0, 3), done.stderr
    again = edgeq(folder, "deploy", "--target", "x86-64-vnni", "--seconds", "2")
    assert again.returncode == done.returncode, again.stdout + again.stderr
    assert "nothing was sent" in again.stdout

    assert edgeq(folder, "doctor", "--target", "x86-64-vnni").returncode == 0
    assert "digits" in edgeq(folder, "status", "--target", "x86-64-vnni").stdout
    gone = edgeq(folder, "uninstall", "--everything", "--yes", "--target", "x86-64-vnni")
    assert gone.returncode == 0, gone.stderr
    assert x86_device.run("ls -A ~/.local/share ~/.cache 2>/dev/null", check=False).stdout.split() == [
        "/home/pi/.local/share:"
    ]


@pytest.mark.slow
def test_a_service_measures_by_itself(folder: Path, systemd_device: LabDevice) -> None:
    write_ssh_config(systemd_device)
    there = ("--target", "x86-64-vnni", "--host", "box", "--accept-new-host-key")
    words = ("deploy", "digits.onnx", "--data", "digits.npz", *there, "--seconds", "2", "--service")
    shown = edgeq(folder, *words, "--dry-run")
    assert "would install the system service" in shown.stdout and "(-v prints them)" in shown.stdout
    assert systemd_device.run("ls /etc/systemd/system/edgeq-agent.path", check=False).returncode != 0

    done = edgeq(folder, *words, "-v")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "/var/lib/edgeq/apps/digits/current" in done.stdout
    assert "measured by the service, as user edgeq" in done.stdout
    lines = done.stdout.splitlines()  # one login, one conversion, nothing said twice
    assert [sum(line.startswith(word) for line in lines) for word in ("route ", "model ", "service ")] == [
        1,
        1,
        1,
    ]
    assert "is a finished bundle" not in done.stdout

    guest = ("digits.onnx", "--data", "digits.npz", "--target", "x86-64-vnni", "--name", "guest")
    converted = edgeq(folder, "convert", *guest, "-o", "guest.edgeq")
    assert converted.returncode == 0, converted.stderr
    for what in ((), ("guest.edgeq",)):
        benched = edgeq(folder, "bench", *what, *there, "--seconds", "2", "--json")
        assert benched.returncode == 0, benched.stderr
        document = json.loads(benched.stdout)
        assert document["races"][0]["user"] == "edgeq"
        (job,) = document["measurements"]
        owner = systemd_device.run(f"stat -c %U /var/lib/edgeq/results/{job}").stdout.strip()
        assert owner == "edgeq"
    assert systemd_device.run("ls /var/lib/edgeq/apps").stdout.split() == ["digits"]

    # Ctrl-C while the service works for us: what was brought goes, and the device is free again.
    child = started_edgeq(folder, "bench", "guest.edgeq", *there, "--seconds", "8")
    systemd_device.run("until ls /var/lib/edgeq/jobs/running/*.json 2>/dev/null; do sleep 0.1; done")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, "Traceback" in out + err) == (130, False), out + err
    assert systemd_device.run("ls /var/lib/edgeq/apps").stdout.split() == ["digits"]
    assert json.loads(edgeq(folder, "status", *there, "--json").stdout)["status"]["lock"] is None

    started = systemd_device.run("sudo systemctl start edgeq-measure.service")
    assert started.returncode == 0
    fetched = edgeq(folder, "report", "--fetch", *there, "--json")
    assert fetched.returncode == 0, fetched.stderr
    planned = edgeq(folder, "uninstall", "--everything", "--dry-run", *there)
    assert "the system service would go too: its units, its user and its group" in planned.stdout
    gone = edgeq(folder, "uninstall", "--everything", "--yes", *there)
    assert gone.returncode == 0, gone.stderr
    assert "          apps\n" in gone.stdout  # which went with the service
    assert systemd_device.run("ls -d /var/lib/edgeq /etc/systemd/system/edgeq-*", check=False).stdout == ""
