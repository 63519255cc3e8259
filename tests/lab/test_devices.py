"""The lab keeps its promises: each device is what it says it is, as seen through the real OpenSSH client."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import claims
from tests.lab.device import LabDevice

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("fixture", "machine", "python", "libc"),
    [
        ("x86_device", "x86_64", "3.11", "2.36"),
        ("arm64_device", "aarch64", "3.11", "2.36"),
        ("bullseye_arm64_device", "aarch64", "3.9", "2.31"),
        ("armhf_device", "armv7l", "3.11", "2.36"),
    ],
)
def test_device_runs_its_own_debian(
    fixture: str, machine: str, python: str, libc: str, request: pytest.FixtureRequest
) -> None:
    device: LabDevice = request.getfixturevalue(fixture)
    facts = "import platform, sys; print(platform.machine(), '%d.%d' % sys.version_info[:2], *platform.libc_ver())"
    assert device.run(f'python3 -c "{facts}"').stdout.split() == [machine, python, "glibc", libc]
    assert device.run("id -un; command -v pip3 gcc || true").stdout.split() == ["pi"]


def test_device_reaches_nothing_but_this_machine(x86_device: LabDevice) -> None:
    routes = x86_device.run("ip -4 -o route").stdout.splitlines()
    assert len(routes) == 1
    assert routes[0].startswith("10.77.")


@pytest.mark.parametrize("fixture", ["arm64_device", "bullseye_arm64_device", "armhf_device"])
def test_pi_looks_like_a_pi(fixture: str, request: pytest.FixtureRequest) -> None:
    pi: LabDevice = request.getfixturevalue(fixture)
    assert (
        pi.run("tr -d '\\0' </sys/firmware/devicetree/base/model").stdout == "Raspberry Pi 4 Model B Rev 1.4"
    )
    assert pi.run("grep -c 0xd08 /proc/cpuinfo").stdout.strip() == "4"
    assert pi.run("awk '/MemTotal/ {print $2}' /proc/meminfo").stdout.strip() == "3885396"
    assert pi.run("cat /etc/edgeq-emulated").stdout.startswith("qemu-user cortex-a")


def test_sensor_can_be_changed_while_the_device_runs(arm64_device: LabDevice) -> None:
    zone = "sys/class/thermal/thermal_zone0/temp"
    before = (arm64_device.board / zone).read_text()
    (arm64_device.board / zone).write_text("81250\n")
    assert arm64_device.run(f"cat /{zone}").stdout == "81250\n"
    (arm64_device.board / zone).write_text(before)


def test_armhf_has_numpy_and_psutil_of_the_distribution(armhf_device: LabDevice) -> None:
    script = "import numpy, psutil, struct; print(numpy.ones(3) @ numpy.ones(3), struct.calcsize('P'))"
    assert armhf_device.run(f'python3 -c "{script}"').stdout.split() == ["3.0", "4"]


def test_reset_gives_a_fresh_disk_and_keeps_address_and_keys(x86_device: LabDevice) -> None:
    before = x86_device.ip, x86_device.known_hosts.read_text()
    x86_device.run("echo dirt > note")
    assert (x86_device.root / "home/pi/note").read_text() == "dirt\n"
    x86_device.reset()
    assert x86_device.run("ls -A").stdout.split() == [".ssh"]
    assert (x86_device.ip, x86_device.known_hosts.read_text()) == before


def test_disk_can_be_filled(x86_device: LabDevice) -> None:
    x86_device.limit_free_disk(1_000_000)
    full = x86_device.run("head -c 2000000 /dev/zero > big", check=False)
    assert "No space left on device" in full.stderr
    x86_device.reset()


def test_several_devices_run_at_once(x86_device: LabDevice, arm64_device: LabDevice) -> None:
    assert x86_device.ip != arm64_device.ip
    assert x86_device.run("hostname").stdout == "lab-x86\n"
    assert arm64_device.run("hostname").stdout == "lab-pi4\n"


@pytest.mark.parametrize("fixture", ["systemd_device", "systemd_arm64_device"])
def test_systemd_is_pid_1_and_runs_services(fixture: str, request: pytest.FixtureRequest) -> None:
    device: LabDevice = request.getfixturevalue(fixture)
    device.run("systemctl is-system-running --wait", check=False)
    assert "systemd" in device.run("tr '\\0' ' ' </proc/1/cmdline").stdout
    assert device.run("systemctl list-units --failed --no-legend").stdout == ""
    hardened = "-p DynamicUser=yes -p ProtectSystem=strict -p PrivateTmp=yes -p NoNewPrivileges=yes"
    done = device.run(f"sudo systemd-run --wait --pipe {hardened} id -u")
    assert int(done.stdout) >= 61184  # the range of dynamic users


def test_systemd_device_is_new_for_each_test(systemd_device: LabDevice) -> None:
    assert systemd_device.run("systemctl list-units --all --no-legend 'run-*.service'").stdout == ""
    systemd_device.run("logger --tag lab seen-in-the-journal; sudo journalctl --sync")
    assert "seen-in-the-journal" in systemd_device.run("sudo journalctl -t lab --no-pager").stdout


def test_a_crashed_run_is_swept_away(x86_device: LabDevice) -> None:
    """A process that starts a device and is killed leaves one running; the next claim, anybody's, ends it."""
    script = (
        "import os, signal\n"
        "from tests.lab.device import create\n"
        "from tests.lab.devices import X86\n"
        "device = create(X86); device.start()\n"
        "print(device.root, device.claim.folder / 'owner', flush=True)\n"
        "print((device.claim.folder / 'owner').read_text(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    crashed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    started, owner = crashed.stdout.splitlines()
    root, file = started.split()
    claims.release(claims.claim())
    assert not Path(root).exists()
    # The number is free again: another run may have taken it by now.
    assert not Path(file).exists() or Path(file).read_text() != owner
