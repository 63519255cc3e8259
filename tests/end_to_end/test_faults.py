"""The connection breaks somewhere in a deployment: the old release stays live, or the new one is whole, and the next
deployment needs no help. The real command line, a real sshd, a device with a network of its own.
"""

import getpass
import signal
import socket

import pytest

from edgeq.errors import DeviceBusy, LinkLost, Unreachable
from tests.end_to_end.faults_cable import Cable, Point
from tests.end_to_end.faults_scene import WORKS, Done, Scene

pytestmark = [pytest.mark.slow, pytest.mark.lab]

# Bytes: a request is a session and some 200 bytes of command before its input, which has to be whole to be understood;
# the device grants the session with 150 bytes, and what it says after that it says when it is done.
BEFORE_THE_SWITCH = {
    "the key exchange": Point("connect", up=100),
    "the login": Point("connect", up=1200),
    "the first words": Point("hello", up=200),
    "the upload of the agent": Point("put agent", up=100_000),
    "the answer to the lock": Point("lock", down=200),
    "the upload of a wheel": Point("put wheel", up=4_000_000),
    "the upload of a model": Point("put file", up=40_000),
    "the answer to the installation": Point("install", down=300),
    "the result of the measurement": Point("work", down=1000),
    "the order to switch": Point("activate", up=300),
}
AFTER_THE_SWITCH = {
    "the answer to the switch": Point("activate", down=400),
    "the unlock": Point("unlock", up=250),
}
FOR_GOOD = BEFORE_THE_SWITCH | AFTER_THE_SWITCH
FOR_A_MOMENT = {
    "the upload of the agent": Point("put agent", up=100_000),
    "the upload of a model": Point("put file", up=40_000),
    "the seal of a model": Point("put file", down=400),
    "the order to measure": Point("work", up=300),
    "the result of the measurement": Point("work", down=1000),
    "the fetching of outputs": Point("get", down=1000),
    "the answer to the switch": Point("activate", down=400),
    "the sweep": Point("sweep", up=250),
}


@pytest.mark.parametrize("where", FOR_GOOD)
def test_a_connection_that_is_cut_for_good(where: str, scene: Scene, wire: Cable) -> None:
    """The old release is live, and what the next deployment finds does not stand in its way."""
    scene.lacks(where)
    wire.at(FOR_GOOD[where], wire.unplug)

    cut = scene.deploy(cable=wire)

    assert wire.reached.is_set(), told(wire)
    scene.settle()
    if where in BEFORE_THE_SWITCH:
        assert cut.code in (LinkLost.exit_code, Unreachable.exit_code), cut
        assert "connection" in cut.error.what
        assert cut.error.remedy
        assert scene.live() == scene.digest(scene.old)
    else:
        assert scene.live() == scene.digest(scene.new)
    assert scene.runs() or where == "the upload of a wheel"  # which the old release lacks now, too
    assert not scene.temporary_on_host

    scene.lease_runs_out()
    again = scene.deploy()

    assert again.code in WORKS, again
    assert scene.live() == scene.digest(scene.new)
    assert scene.left_behind == []


@pytest.mark.parametrize("where", FOR_A_MOMENT)
def test_a_deployment_goes_on_when_the_connection_comes_back(where: str, scene: Scene, wire: Cable) -> None:
    scene.lacks(where)
    wire.at(FOR_A_MOMENT[where], wire.cut)

    done = scene.deploy(cable=wire)

    assert wire.reached.is_set(), told(wire)
    assert done.code in WORKS, done
    assert scene.live() == scene.digest(scene.new)
    assert scene.left_behind == []


def test_a_deployment_that_cannot_go_on_leaves_nothing(scene: Scene, wire: Cable) -> None:
    """Whose token was lost on the way cannot know it; the lease ends by itself."""
    wire.at(Point("lock", down=200), wire.cut)

    done = scene.deploy(cable=wire)

    assert wire.reached.is_set(), told(wire)
    assert done.code == LinkLost.exit_code, done
    assert scene.live() == scene.digest(scene.old)
    assert f"digits = {scene.digest(scene.old)[:7]}" in (done.error.live or "")
    scene.lease_runs_out()
    assert scene.left_behind == []


def test_a_host_that_dies_is_followed_by_one_that_goes_on(scene: Scene, wire: Cable) -> None:
    """SIGKILL in the middle of the push. The lock names the dead until its lease is over; what arrived is not sent again."""
    child = scene.start("deploy", str(scene.new), "--seconds", "0.5", "--json", cable=wire)
    wire.at(Point("put file", up=70_000), lambda: (scene.arrived(20_000), child.kill(), wire.cut()))
    child.communicate(timeout=100)
    scene.settle()

    held = scene.deploy()
    assert held.code == DeviceBusy.exit_code, held
    assert "'deploying digits'" in held.error.what
    assert scene.live() == scene.digest(scene.old)

    scene.lease_runs_out()
    done = scene.deploy()
    assert done.code in WORKS, done
    assert 0 < done.json["delivery"]["bytes_sent"] < sum(scene.news.values()) - 20_000
    assert scene.left_on_device == []


def test_two_hosts_at_once(scene: Scene, wire: Cable) -> None:
    """One wins; the other says who holds the device, and nothing of the winner's is touched."""
    others: list[Done] = []
    wire.at(Point("install"), lambda: others.append(scene.deploy()))

    done = scene.deploy(cable=wire)

    (other,) = others
    assert other.code == DeviceBusy.exit_code, other
    assert f"{getpass.getuser()}@{socket.gethostname()}" in other.error.what
    assert f"digits = {scene.digest(scene.old)[:7]} (onnxruntime-float), unchanged" in (
        other.error.live or ""
    )
    assert done.code in WORKS, done
    assert scene.live() == scene.digest(scene.new)
    assert scene.left_behind == []


@pytest.mark.parametrize(
    "point",
    [
        Point("facts"),
        Point("put file", up=40_000),
        Point("install", up=250),
        Point("work", up=250),
        Point("unlock"),
    ],
    ids=lambda point: f"{point.step}-{point.up or point.down or 0}",
)
def test_ctrl_c(point: Point, scene: Scene, wire: Cable) -> None:
    """130, without a traceback; what was not live yet goes, and the lock with it."""
    child = scene.start("deploy", str(scene.new), "--seconds", "20", cable=wire)
    wire.at(point, lambda: child.send_signal(signal.SIGINT))
    out, err = child.communicate(timeout=100)

    assert wire.reached.is_set(), told(wire)
    assert child.returncode == 130, out + err
    assert "Traceback" not in out + err
    live = scene.new if point.step == "unlock" else scene.old
    assert scene.live() == scene.digest(live)
    if point.step != "facts":  # before it is known what is live
        assert f"live: digits = {scene.digest(live)[:7]}" in out
    scene.settle()
    assert scene.left_behind == []


def told(wire: Cable) -> list[tuple[str, tuple[int, int]]]:
    """The steps with their bytes up and down: what a Point is chosen by."""
    return list(zip(wire.steps, wire.counted, strict=False))
