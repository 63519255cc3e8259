"""What is wrong with the device, its host key, the login or the files: an exit code of its own, words that help, the old
release live, nothing left behind. The real command line and a real sshd.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeq.errors import (
    ArtifactCorrupt,
    AuthRefused,
    BundleRefused,
    DeviceUnfit,
    HostKeyRefused,
    ModelCrashed,
    NoSpace,
    ReadOnly,
    Unreachable,
)
from tests.end_to_end.faults_bundle import with_model
from tests.end_to_end.faults_cable import Cable, Point
from tests.end_to_end.faults_scene import ROOT, WORKS, Done, Scene

pytestmark = [pytest.mark.slow, pytest.mark.lab]


@pytest.fixture
def as_root(scene: Scene) -> Iterator[Callable[[str], object]]:
    """Changes the device as root; the second line given takes it back."""
    undo: list[str] = []

    def change(line: str, back: str) -> None:
        scene.device.run_as_root(line)
        undo.append(back)

    yield change
    for line in reversed(undo):
        scene.device.run_as_root(line)


def refused(done: Done, kind: type[Exception], scene: Scene) -> str:
    """What was said, all of it; after the error was found to be the right one and the device unharmed."""
    assert done.code == kind.exit_code, done  # type: ignore[attr-defined]
    error = done.error
    assert type(error) is kind
    assert error.remedy
    assert scene.live() == scene.digest(scene.old)
    assert scene.left_behind == []
    return " ".join([error.what, error.remedy, *error.details, error.live or ""])


def test_a_disk_too_full_for_the_release(scene: Scene) -> None:
    """Predicted, and refused before anything is sent."""
    scene.device.limit_free_disk(5_000_000)
    said = refused(scene.deploy(), NoSpace, scene)
    assert "5 MB free" in said
    assert "Nothing was sent" in said


@pytest.mark.parametrize("step", ["put file", "install", "work"])
def test_a_disk_that_fills_up_meanwhile(step: str, scene: Scene, wire: Cable) -> None:
    wire.at(Point(step), lambda: scene.device.limit_free_disk(0))
    done = scene.deploy(cable=wire)
    scene.device.limit_free_disk(1_000_000_000)
    assert wire.reached.is_set(), done
    scene.settle()
    assert "free space there" in refused(done, NoSpace, scene)


def test_a_root_that_may_not_be_written(scene: Scene) -> None:
    folder = scene.root
    folder.chmod(0o555)
    try:
        said = refused(scene.deploy(), ReadOnly, scene)
    finally:
        folder.chmod(0o755)
    assert "does not let pi write" in said
    assert ROOT in said
    assert f"digits = {scene.digest(scene.old)[:7]}" in said


@pytest.mark.parametrize("step", ["put file", "activate"])
def test_a_disk_that_turns_read_only(step: str, scene: Scene, wire: Cable) -> None:
    with scene.read_only() as remount:
        wire.at(Point(step), remount)
        done = scene.deploy(cable=wire)
    assert done.code == ReadOnly.exit_code, done
    assert "read-only" in done.error.what.lower()
    assert scene.live() == scene.digest(scene.old)
    # On such a disk nothing can be tidied up either; the next deployment does it.
    scene.lease_runs_out()
    assert scene.deploy().code in WORKS
    assert scene.left_behind == []


def test_a_changed_host_key(scene: Scene) -> None:
    other = scene.home / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    scene.know(other.with_suffix(".pub").read_text())
    for flags in ((), ("--accept-new-host-key",)):
        said = refused(scene.deploy(*flags), HostKeyRefused, scene)
        assert "has changed" in said
        assert "ssh-keygen -f" in said


def test_an_unknown_host_key_is_accepted_once(scene: Scene) -> None:
    scene.know("")
    said = refused(scene.deploy(), HostKeyRefused, scene)
    assert "SHA256:" in said
    assert "--accept-new-host-key" in said
    assert scene.edgeq("status", "--accept-new-host-key").code == 0
    assert scene.edgeq("status").code == 0


def test_a_key_that_the_device_does_not_accept(scene: Scene) -> None:
    key = scene.home / "unknown"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    refused(scene.deploy(identity=str(key)), AuthRefused, scene)


def test_a_wrong_password(scene: Scene) -> None:
    """Typed at a terminal, as there is no other way; it is on no screen."""
    with scene.asks_for("correct horse") as port:
        right = scene.type("correct horse", "status", identity="", port=port)
        wrong = scene.type("battery staple", "status", identity="", port=port)
    assert right.code == 0, right
    assert wrong.code == AuthRefused.exit_code, wrong
    assert "password" in wrong.out
    assert "Traceback" not in wrong.out
    assert "staple" not in wrong.out


def test_nobody_answers(scene: Scene, wire: Cable) -> None:
    wire.unplug()
    done = scene.deploy(cable=wire)
    assert done.code == Unreachable.exit_code, done
    assert f"127.0.0.1:{wire.port} refused the connection" in done.error.what
    assert "sshd" in (done.error.remedy or "")


# The device's own interpreters go, and python3 says to whoever asks for its version that it is an older one. There is no
# older Python for this Debian; everything else that this one would be asked is answered by the real one.
OLD_PYTHON = """#!/bin/sh
case "$3" in *version_info*) echo 3.7.3; exit;; esac
exec /usr/lib/hidden-python "$@"
"""


def test_a_python_that_is_too_old(scene: Scene, as_root: Callable[[str, str], None]) -> None:
    as_root("mv /usr/bin/python3.11 /usr/lib/hidden-python", "mv /usr/lib/hidden-python /usr/bin/python3.11")
    script = scene.device.root / "usr/local/bin/python3"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(OLD_PYTHON)
    script.chmod(0o755)
    as_root("true", "rm /usr/local/bin/python3")
    said = refused(scene.deploy(), DeviceUnfit, scene)
    assert "Python 3.7.3" in said
    assert "3.9" in said
    assert "Nothing was sent" in said


def test_a_newer_python_beside_an_old_one_is_found(scene: Scene, as_root: Callable[[str, str], None]) -> None:
    script = scene.device.root / "usr/local/bin/python3"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(OLD_PYTHON.replace("/usr/lib/hidden-python", "/usr/bin/python3.11"))
    script.chmod(0o755)
    as_root("true", "rm /usr/local/bin/python3")
    assert scene.deploy().code in WORKS


def test_a_device_with_another_versions_agent_can_be_looked_at(scene: Scene) -> None:
    """The host's own comes along for the question and leaves nothing."""
    scene.lacks("the upload of the agent")
    (app,) = scene.edgeq("status", "--json").json["status"]["apps"]
    assert app["live"] == scene.digest(scene.old)
    assert not list(scene.root.glob("agent/*.pyz"))
    assert scene.left_behind == []


def test_a_damaged_part_is_not_gone_on_from(scene: Scene, wire: Cable) -> None:
    """SSH protects what travels; what lies on the card between two attempts is checked block by block."""
    wire.at(Point("put file", up=70_000), lambda: (scene.arrived(20_000), wire.unplug()))
    scene.deploy(cable=wire)
    scene.settle()
    (part,) = scene.root.glob("incoming/*.part")
    flip(part)
    scene.lease_runs_out()
    assert scene.deploy().code in WORKS
    assert scene.runs()
    assert scene.left_behind == []


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_a_file_that_is_damaged_before_it_is_installed(damage: str, scene: Scene, wire: Cable) -> None:
    def spoil() -> None:
        for file in scene.root.glob("incoming/*"):
            flip(file) if damage == "flipped" else os.truncate(file, 10)

    wire.at(Point("install"), spoil)
    said = refused(scene.deploy(cable=wire), ArtifactCorrupt, scene)
    assert "missing or damaged" in said
    assert "deploy again" in said
    assert scene.deploy().code in WORKS


def test_a_release_that_was_damaged_later_does_not_go_live(scene: Scene) -> None:
    assert scene.deploy().code in WORKS
    old = scene.root / "apps/digits/releases" / scene.digest(scene.old)
    spoil_copy(next(old.rglob("model.onnx")))
    assert scene.edgeq("rollback", "digits", "--dry-run").code == ArtifactCorrupt.exit_code
    done = scene.edgeq("rollback", "digits", "--json")
    assert done.code == ArtifactCorrupt.exit_code, done
    assert "model.onnx" in " ".join([done.error.what, *done.error.details])
    assert scene.live() == scene.digest(scene.new)
    assert scene.runs()
    assert scene.left_behind == []


def test_the_log_of_an_application_in_a_release_does_not_stand_in_the_way(scene: Scene) -> None:
    assert scene.deploy().code in WORKS
    old = scene.root / "apps/digits/releases" / scene.digest(scene.old)
    log = next(old.rglob("model.onnx")).with_name("app.log")
    log.write_text("mine")
    done = scene.edgeq("rollback", "digits")
    assert done.code == 0, done
    assert f"{old.name}.kept: files in this release that edgeq did not write" in done.out
    assert (Path(f"{old}.kept") / log.relative_to(old)).read_text() == "mine"
    assert scene.live() == scene.digest(scene.old)
    assert scene.runs()


def test_what_was_damaged_on_the_device_is_sent_anew(scene: Scene) -> None:
    live = scene.root / "apps/digits/releases" / scene.digest(scene.old)
    spoil_copy(next(live.rglob("model.onnx")))
    done = scene.deploy(str(scene.old), "--measure-again")
    assert done.code in WORKS, done
    assert scene.runs()
    assert scene.left_behind == []


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_a_bundle_that_is_damaged_here(damage: str, scene: Scene) -> None:
    copy = scene.home / "copy.edgeq"
    shutil.copy(scene.new, copy)
    flip(copy) if damage == "flipped" else os.truncate(copy, copy.stat().st_size // 2)
    done = scene.deploy(str(copy))
    assert done.code == BundleRefused.exit_code, done
    assert "copy.edgeq" in done.error.what
    assert scene.live() == scene.digest(scene.old)


def test_a_model_that_does_not_load(scene: Scene) -> None:
    """A bundle whose every hash is right, around half an ONNX file."""
    broken = with_model(scene.new, scene.home / "broken.edgeq", lambda model: model[: len(model) // 2])
    said = refused(scene.deploy(str(broken)), ModelCrashed, scene)
    assert "no candidate runs on" in said
    assert "load failed" in said


def test_a_model_that_kills_its_runtime(scene: Scene) -> None:
    """LiteRT dies of a file without graphs: the child is gone, the agent tells by which signal."""
    broken = with_model(
        scene.new, scene.home / "broken.edgeq", lambda model: without_graphs(), runtime="litert"
    )
    said = refused(scene.deploy(str(broken)), ModelCrashed, scene)
    assert "crashed: SIGSEGV" in said


def without_graphs() -> bytes:
    """A .tflite file of the right kind and version with nothing in it."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, builder = schema.ModelT(), flatbuffers.Builder(64)
    model.version = 3
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def flip(path: Path) -> None:
    """One bit in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def spoil_copy(path: Path) -> None:
    """The same, in a file of its own: what is kept for the next test shares this one's bytes."""
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.chmod(0o644)
    flip(copy)
    copy.chmod(0o444)
    copy.replace(path)
