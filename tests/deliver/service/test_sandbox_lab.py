"""The sandbox holds what docs/service.md promises, tried from inside the service itself."""

import pytest

from edgeq.workflow.service import install_service, service_status
from tests.deliver.service.board import Board

pytestmark = pytest.mark.lab
ROOT = "/var/lib/edgeq"
# Each attempt has to fail; the service starts only if all did.
_ATTEMPTS = f"""
set -u
refused() {{ if "$@" 2>/dev/null; then echo "allowed: $*" >&2; exit 1; fi; }}
touch {ROOT}/results/mine /tmp/mine || exit 1
for folder in {ROOT}/apps {ROOT}/agent {ROOT}/wheels {ROOT}/samples /etc /opt /var/lib; do
  refused touch "$folder/from-inside"
done
refused mv {ROOT}/apps {ROOT}/elsewhere
refused ls /home/pi
refused cat /dev/kmsg
refused unshare --user true
refused chmod u+s {ROOT}/results/mine
refused python3 -I -c "import socket; socket.create_connection(('HOST', 22), 3)"
"""


def test_attempts_from_inside_are_refused(board: Board) -> None:
    install_service(**board.call)
    script = _ATTEMPTS.replace("HOST", board.device.ip)
    board.device.run("sudo tee /opt/attempts.sh", stdin=script.encode())
    board.run(
        f"chmod 777 {ROOT}/apps {ROOT}/agent; sudo chmod 777 /opt"
    )  # it is not the permissions that refuse
    drop_in = "/etc/systemd/system/edgeq-agent.service.d/90-attempts.conf"
    board.run(f"printf '[Service]\\nExecStartPre=/bin/sh /opt/attempts.sh\\n' | sudo tee {drop_in}")
    board.run("sudo systemctl daemon-reload")
    board.device.run(
        "sudo systemctl start edgeq-agent.service || { sudo journalctl -n 20 --no-pager; exit 1; }"
    )
    assert board.run(f"stat -c %U {ROOT}/results/mine; ls /tmp/mine", check=False) == "edgeq"


def test_a_pi_keeps_its_firmware_device(board: Board) -> None:
    board.device.run_as_root("touch /dev/vcio")
    install_service(**board.call)
    assert board.state("edgeq-agent.service", "PrivateDevices") == "no"
    assert board.state("edgeq-agent.service", "SupplementaryGroups") == "video"
    exposures = {unit.unit: unit.exposure for unit in service_status(**board.call).units}
    assert 0 < (exposures["edgeq-agent.service"] or 0) <= 2.0
    board.device.run_as_root("rm /dev/vcio")  # another board with the same card
    assert install_service(**board.call).changed
    assert board.state("edgeq-agent.service", "PrivateDevices") == "yes"
