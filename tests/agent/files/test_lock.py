"""Who may change a device."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from edgeq.agent.clock import boot_ns
from edgeq.errors import DeviceBusy
from tests.agent.files.device import Device, bundle


def test_of_many_hosts_at_once_exactly_one_wins(device: Device) -> None:
    words = [device.python, "-I", str(device.archive), "--root", str(device.root), "lock"]
    hosts = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
    for i, host in enumerate(hosts):
        assert host.stdin is not None
        host.stdin.write(json.dumps({"who": f"host-{i}", "what": "deploying net"}).encode())
        host.stdin.close()
    answers = [json.loads(host.stdout.read()) for host in hosts if host.stdout and host.wait() in (0, 1)]

    winners = [a for a in answers if "token" in a]
    busy = [a["error"] for a in answers if "error" in a]
    assert len(winners) == 1 and len(busy) == 7
    assert all(e["kind"] == "DeviceBusy" and "'deploying net' by" in e["what"] for e in busy)


def test_busy_says_who_what_since_when_and_how_long_yet(device: Device, token: str) -> None:
    with pytest.raises(
        DeviceBusy, match=r"'a test' by ann@host since 20\d\d-.*Z, for at least 1[12]\d s more"
    ) as error:
        device.lock()
    assert error.value.remedy is not None and "wait" in error.value.remedy


def test_given_back_it_can_be_taken_again(device: Device, token: str) -> None:
    assert "ann@host" in device.call("status")["lock"]
    device.call("unlock", token=token)
    assert device.call("status")["lock"] is None
    assert device.lock() != token


def test_held_by_a_new_token_the_old_one_only_gives_it_back(device: Device, token: str) -> None:
    """A command that was on its way when its host broke off must not come after what removes its traces."""
    one = bundle()
    device.upload(*one.files.values())
    anew = device.call("lock", token=token, anew=True)["token"]
    with pytest.raises(DeviceBusy, match="ann@host"):
        device.call("install", token=token, manifest=one.manifest.to_dict())
    device.call("sweep", token=anew)
    with pytest.raises(DeviceBusy, match="ann@host"):
        device.lock()

    device.call("unlock", token=token)
    assert device.call("status")["lock"] is None
    assert device.leftovers() == []


def test_another_boot_or_a_lease_that_ran_out_is_nobodys(device: Device, token: str) -> None:
    for change in ({"boot_id": "another boot"}, {"until_ns": boot_ns() - 1}):
        _rewrite(device, change)
        assert device.call("status")["lock"] is None
        device.lock()


def test_a_token_of_another_boot_does_not_count(device: Device, token: str) -> None:
    """What was in memory or half done went with the boot; the host has to begin again."""
    _rewrite(device, {"boot_id": "another boot"})
    with pytest.raises(DeviceBusy, match="restarted"):
        device.call("sweep", token=token)


def test_every_command_with_the_token_renews_the_lease(device: Device, token: str) -> None:
    for command in ("sweep", "lock"):
        _rewrite(device, {"until_ns": boot_ns() + 5 * 10**9})
        device.call(command, token=token)
        assert _stored(device)["until_ns"] > boot_ns() + 110 * 10**9


def test_a_lease_that_ran_out_unnoticed_goes_on(device: Device, token: str) -> None:
    _rewrite(device, {"until_ns": boot_ns() - 1})
    device.call("sweep", token=token)


def test_who_lost_the_device_is_told_who_has_it(device: Device, token: str) -> None:
    _rewrite(device, {"until_ns": boot_ns() - 1})
    device.call("lock", who="bob@host", what="deploying")
    with pytest.raises(DeviceBusy, match="bob@host"):
        device.call("sweep", token=token)
    device.call("unlock", token=token)
    assert "bob@host" in device.call("status")["lock"]


@pytest.fixture
def neighbour() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of this device that lives until it is told to end."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.wait()


def test_a_holder_of_this_device_loses_it_with_its_end(
    device: Device, neighbour: "subprocess.Popen[bytes]"
) -> None:
    held = device.call("lock", who="ann@here", what="a test", pid=neighbour.pid)["token"]
    with pytest.raises(DeviceBusy, match="ann@here"):
        device.lock()

    neighbour.kill()
    neighbour.wait()
    assert device.call("status")["lock"] is None
    device.lock()
    with pytest.raises(DeviceBusy, match="ann@host"):
        device.call("sweep", token=held)


def test_a_service_that_is_stopped_at_work_leaves_the_device_free(device: Device) -> None:
    """`systemctl stop` ends the agent by SIGTERM in the middle of a measurement."""
    device.call("status")
    text = (
        "import sys; from pathlib import Path; from edgeq.agent import lock; from edgeq.agent.layout import Root\n"
        f"with lock.taken(Root(Path({str(device.root)!r})), 'timer', 'periodic'): print(flush=True), sys.stdin.read()"
    )
    words = [sys.executable, "-c", text]
    service = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert service.stdout is not None and service.stdout.readline()
    with pytest.raises(DeviceBusy, match="timer"):
        device.lock()

    service.terminate()
    service.wait()
    assert device.call("remove", everything=True)["removed"]
    assert not device.root.exists()


def test_a_later_process_of_the_same_number_is_not_the_holder(
    device: Device, neighbour: "subprocess.Popen[bytes]"
) -> None:
    device.call("lock", who="ann@here", what="a test", pid=neighbour.pid)
    namespace, pid, start = _stored(device)["process"].split()
    _rewrite(device, {"process": f"{namespace} {pid} {int(start) - 100}"})
    device.lock()


def test_what_another_namespace_calls_by_that_number_may_live(
    device: Device, neighbour: "subprocess.Popen[bytes]"
) -> None:
    device.call("lock", who="ann@here", what="a test", pid=neighbour.pid)
    _rewrite(device, {"process": "pid:[1] 999999999 1"})
    with pytest.raises(DeviceBusy, match="ann@here"):
        device.lock()


def test_what_it_lent_the_device_to_goes_on_without_it(
    device: Device, neighbour: "subprocess.Popen[bytes]"
) -> None:
    device.call("lock", who="ann@here", what="a test", pid=neighbour.pid)
    _rewrite(device, {"lent_to": "job-1"})
    neighbour.kill()
    neighbour.wait()
    with pytest.raises(DeviceBusy, match="ann@here"):
        device.lock()


def test_garbage_in_the_lock_file_is_nobodys_lock(device: Device, token: str) -> None:
    (device.root / "lock.json").write_text('{"token": [')
    assert device.lock()


def test_no_lease_is_for_ever(device: Device) -> None:
    device.call("lock", who="ann", what="a test", lease_s=1e12)
    assert _stored(device)["until_ns"] < boot_ns() + 3601 * 10**9


def _stored(device: Device) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((device.root / "lock.json").read_text())
    return stored


def _rewrite(device: Device, change: Mapping[str, object]) -> None:
    (device.root / "lock.json").write_text(json.dumps({**_stored(device), **change}))
