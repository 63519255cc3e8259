"""The service is installed, brought up to date and removed under a real systemd, and nothing is left half done."""

import json
from pathlib import Path

import pytest

from edgeq.cli.main import run as edgeq
from edgeq.deliver.session import Login
from edgeq.errors import DeviceUnfit, RemoteFailed
from edgeq.nouns.service import RunCommand, ServiceChange
from edgeq.report.formats.in_python import as_text
from edgeq.workflow.service import install_service, service_status, uninstall_service
from tests.deliver.service.board import TARGET, Board, deploy_relu

pytestmark = pytest.mark.lab
ROOT = "/var/lib/edgeq"
OWN = "/home/pi/.local/share/edgeq"


def kinds(change: ServiceChange) -> list[str]:
    steps = [step for step in change.steps if not isinstance(step, RunCommand) or step.words]
    return [step.words[-1] if isinstance(step, RunCommand) else step.path for step in steps]


def test_second_installation_changes_nothing(board: Board) -> None:
    first = install_service(**board.call)
    assert first.changed
    before = board.files()
    second = install_service(**board.call)
    assert second.steps == ()
    assert "nothing to change" in as_text(second)
    assert board.files() == before


def test_a_damaged_agent_is_brought_again(board: Board) -> None:
    install_service(**board.call)
    archive = board.run(f"readlink -f {ROOT}/agent/current")
    whole = board.run(f"sha256sum {archive}")
    board.run(f"chmod u+w {archive} && truncate -s 1000 {archive}")
    assert install_service(**board.call).changed
    assert board.run(f"sha256sum {archive}") == whole


def test_status_tells_units_next_run_and_exposure(board: Board) -> None:
    install_service(**board.call)
    board.run("sudo systemctl start edgeq-agent.service")
    status = service_status(**board.call)
    assert status.ready
    assert (status.root, status.user, status.linger) == (ROOT, "edgeq", None)
    by_name = {u.unit: u for u in status.units}
    assert {u.active for u in status.units} == {"active", "inactive"}
    assert by_name["edgeq-agent.service"].last_result == "success"
    assert by_name["edgeq-measure.timer"].next_utc is not None
    for service in ("edgeq-agent.service", "edgeq-measure.service"):
        assert by_name[service].exposure is not None
        assert by_name[service].exposure <= 2.0


def test_dry_run_shows_all_and_touches_nothing(board: Board) -> None:
    before = board.files()
    shown = as_text(install_service(**board.call, dry_run=True))
    for words in ("write /etc/systemd/system/edgeq-agent.path", "ProtectSystem=strict", "d /var/lib/edgeq/results",
                  "run sudo -n systemctl enable --now", "u edgeq"):  # fmt: skip
        assert words in shown
    assert board.files() == before


def test_new_schedule_rewrites_only_the_timer(board: Board) -> None:
    install_service(**board.call)
    change = install_service(**board.call, every="6h")
    assert kinds(change) == [
        "/etc/systemd/system/edgeq-measure.timer",
        "daemon-reload",
        "edgeq-measure.timer",
    ]
    assert board.state("edgeq-measure.timer", "TimersCalendar").startswith("{ OnCalendar=*-*-* 00/6:00:00")


def test_uninstall_leaves_nothing(board: Board) -> None:
    before, units = board.files(), board.run("systemctl list-units --all --plain --no-legend 'edgeq*'")
    install_service(**board.call)
    board.run("sudo systemctl start edgeq-measure.service")
    assert uninstall_service(**board.call).changed
    assert board.files() == before
    assert board.run("systemctl list-units --all --plain --no-legend 'edgeq*'") == units == ""
    assert (
        board.run(
            "getent passwd edgeq; getent group edgeq; ls /var/lib/systemd/timers | grep edgeq", check=False
        )
        == ""
    )
    assert uninstall_service(**board.call).steps == ()


def test_what_is_live_outlives_the_service(board: Board, tmp_path: Path) -> None:
    install_service(**board.call)
    with board.session() as device:
        deploy_relu(device, tmp_path, with_runtimes=False)
    uninstall_service(**board.call)
    assert board.run(f"stat -c '%U %G' {ROOT} {ROOT}/results").split() == ["pi"] * 4
    assert board.run(f"test -s {ROOT}/apps/relu/current/model.onnx && echo live") == "live"
    with board.session() as device:
        assert device.app("relu") is not None
    assert install_service(**board.call).changed  # and the service comes back to it
    uninstall_service(**board.call, everything=True)
    assert board.run(f"ls {ROOT}", check=False) == ""


def test_what_was_deployed_before_is_copied_and_stays_where_it_was(board: Board, tmp_path: Path) -> None:
    with board.session() as device:
        assert device.link.root == OWN
        deploy_relu(device, tmp_path, with_runtimes=False)
    before = board.run(f"cd {OWN} && find apps samples -type f | xargs sha256sum")
    change = install_service(**board.call)
    assert "relu was copied" in change.notes[0]
    for root in (OWN, ROOT):
        assert board.run(f"cd {root} && find apps samples -type f | xargs sha256sum") == before
    with board.session() as device:
        assert device.link.root == ROOT
        app = device.app("relu")
        assert app is not None
        assert app.candidate == "onnxruntime"


def test_root_of_the_installed_service_is_the_one_that_counts(board: Board, tmp_path: Path) -> None:
    elsewhere = "/srv/models"
    install_service(**board.call, root=elsewhere)
    with board.session(elsewhere) as device:
        deploy_relu(device, tmp_path, with_runtimes=False)
    assert install_service(**board.call).steps == ()
    assert service_status(**board.call).root == elsewhere
    with pytest.raises(DeviceUnfit, match=f"works in {elsewhere}, not in /srv/other"):
        install_service(**board.call, root="/srv/other")
    uninstall_service(**board.call)
    assert board.run(f"test -s {elsewhere}/apps/relu/current/model.onnx && echo live") == "live"


def test_failure_midway_takes_all_back(board: Board) -> None:
    spoiler = "/etc/systemd/system/edgeq-agent.service.d/spoiler.conf"
    board.run(f"sudo mkdir -p $(dirname {spoiler})")
    board.run(f"printf '[Service]\\nExecStartPre=/bin/false\\n' | sudo tee {spoiler}")
    before = board.files()
    with pytest.raises(RemoteFailed) as failure:
        install_service(**board.call)
    assert "start edgeq-agent.service" in failure.value.what
    assert failure.value.details[-1] == "everything that this run did was taken back"
    assert any("/bin/false" in line for line in failure.value.details)  # what systemd says of it
    assert board.files() == before


def test_sudo_that_asks_for_a_password_is_named(board: Board) -> None:
    board.device.run_as_root("rm /etc/sudoers.d/pi")
    before = board.files()
    with pytest.raises(DeviceUnfit, match="sudo asks for a password") as failure:
        install_service(**board.call)
    assert "--scope user" in (failure.value.remedy or "")
    assert board.files() == before


def test_root_of_another_login_is_left_alone(board: Board) -> None:
    board.run(f"sudo install -d -o daemon {ROOT}")
    with pytest.raises(DeviceUnfit, match="belongs to daemon, not to pi"):
        install_service(**board.call)


def test_root_may_be_the_login(board: Board) -> None:
    board.device.run_as_root(
        "mkdir -p /root/.ssh && cp /home/pi/.ssh/authorized_keys /root/.ssh/ && chown -R 0:0 /root/.ssh"
    )
    call = {"target": TARGET, "login": Login(host=f"root@{board.device.ip}")}
    before = board.files()
    install_service(**call)
    assert "sudo" not in as_text(install_service(**call, dry_run=True))
    assert service_status(**call).ready
    uninstall_service(**call)
    assert board.files() == before


def test_command_line_speaks_json(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    device = ["--host", board.device.host, "--target", TARGET, "--json"]
    assert edgeq(["agent", "status", *device]) == DeviceUnfit.exit_code
    assert "not a service" in json.loads(capsys.readouterr().out)["error"]["what"]
    assert edgeq(["agent", "install", *device]) == 0
    assert json.loads(capsys.readouterr().out)["action"] == "install"
    assert edgeq(["agent", "status", *device]) == 0
    assert json.loads(capsys.readouterr().out)["root"] == ROOT
    assert edgeq(["agent", "logs", "-n", "5", *device]) == 0
    assert json.loads(capsys.readouterr().out)["entries"]
