"""The same service on a Raspberry Pi's architecture: Debian 12 arm64 with systemd as PID 1, emulated."""

from pathlib import Path

import pytest

from edgeq.deliver.session import Login
from edgeq.workflow.service import install_service, service_status, uninstall_service
from tests.lab.device import LabDevice
from tests.lab.devices import systemd_arm64_device, systemd_arm64_session  # noqa: F401

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.mark.slow
def test_the_service_comes_works_and_goes_on_arm64(
    systemd_arm64_device: LabDevice,  # noqa: F811
    own_home: Path,
) -> None:
    device = systemd_arm64_device
    (own_home / ".ssh").mkdir(mode=0o700)
    (own_home / ".ssh/config").write_text(f"Include {device.config}\n")
    # qemu-user cannot bring up a new network namespace (225/NETWORK); the rest of the sandbox is what it is on a board.
    for unit in ("edgeq-agent.service", "edgeq-measure.service"):
        folder = f"/run/systemd/system/{unit}.d"
        device.run(
            f"sudo mkdir -p {folder} && printf '[Service]\\nPrivateNetwork=no\\n' | sudo tee {folder}/90-emulated.conf"
        )
    there = {"target": "rpi4", "login": Login(host=device.host)}

    assert install_service(**there).changed
    assert not install_service(**there).changed
    device.run("echo garbage > /var/lib/edgeq/jobs/poison.json")
    # Started by hand as well: the path unit may have done it already, and `start` then waits for that run.
    device.run("sudo systemctl start edgeq-agent.service", timeout=300)
    assert device.run("ls /var/lib/edgeq/jobs").stdout.split() == ["poison.json.refused", "running"]
    assert '"failed"' in device.run("cat /var/lib/edgeq/results/poison/measurement.json").stdout
    assert device.run("stat -c %U /var/lib/edgeq/results/poison").stdout.strip() == "edgeq"

    status = service_status(**there)
    assert status.ready
    exposures = [unit.exposure for unit in status.units if unit.unit.endswith(".service")]
    assert exposures
    assert all(exposure is not None and exposure <= 2.0 for exposure in exposures)

    # It is not edgeq's, and its folder would stay with it.
    device.run("sudo rm /var/lib/edgeq/jobs/poison.json.refused")
    assert uninstall_service(**there).changed
    left = device.run(
        "ls -d /var/lib/edgeq /etc/systemd/system/edgeq-*; getent passwd edgeq", check=False
    ).stdout
    assert left == ""
