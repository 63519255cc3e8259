"""The service of a user who is nobody special: no sudo, no root, his own service manager."""

from pathlib import Path

import pytest

from edgeq.deliver.lock import locked
from edgeq.deliver.service.measure import submit_and_wait
from edgeq.report.formats.in_python import as_text
from edgeq.request.tell import silence
from edgeq.workflow.service import install_service, service_log, service_status, uninstall_service
from tests.deliver.service.board import Board, another, deploy_relu, states

pytestmark = pytest.mark.lab


@pytest.fixture
def plain(board: Board) -> Board:
    board.device.run_as_root("rm /etc/sudoers.d/pi")
    return board


def test_jobs_are_done_as_the_login(plain: Board, tmp_path: Path) -> None:
    change = install_service(**plain.call, scope="user")
    assert "sudo -n systemctl" not in as_text(change)
    assert "lingering is off" in change.notes[0]  # this lab's login may not switch it on by himself
    with plain.session() as device:
        job = another(deploy_relu(device, tmp_path))
        with locked(device.link, "test") as token:
            asked = submit_and_wait(device.link, token, job, 120, silence)
    assert asked is not None
    assert states(asked) == {"onnxruntime": "ok", "litert": "ok"}
    assert asked.facts.user == "pi"
    assert install_service(**plain.call, scope="user").steps == ()
    status = service_status(**plain.call)
    assert (status.scope, status.user, status.linger, status.ready) == ("user", "pi", False, True)
    assert service_log(**plain.call).entries


def test_uninstall_leaves_nothing(plain: Board) -> None:
    before = plain.files()
    install_service(**plain.call, scope="user")
    uninstall_service(**plain.call, scope="user", everything=True)
    left = {f for f in plain.files() - before if "/.config" not in f and "/.local" not in f}
    assert left == set()
    assert plain.run("find ~/.config ~/.local -type f -o -type l", check=False) == ""
    assert plain.run("systemctl --user list-units --all --plain --no-legend 'edgeq*'") == ""


def test_lingering_is_switched_on_where_that_is_allowed_and_off_again(board: Board) -> None:
    install_service(**board.call, scope="user")
    assert service_status(**board.call).linger is True
    uninstall_service(**board.call, scope="user")
    assert board.run("ls /var/lib/systemd/linger") == ""


def test_lingering_that_was_on_before_stays_on(board: Board) -> None:
    board.run("sudo loginctl enable-linger pi")
    install_service(**board.call, scope="user")
    uninstall_service(**board.call, scope="user")
    assert board.run("ls /var/lib/systemd/linger") == "pi"
