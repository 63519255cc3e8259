"""Power can go at any moment. The agent's own code is killed before every single change that it makes on disk; after
each kill all that is live is whole, `sweep` leaves nothing over, and doing it again completes it.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edgeq.agent.apps import app_names, app_view
from edgeq.agent.layout import Root
from edgeq.agent.verify import findings, read_manifest
from edgeq.compress.pack import pack
from tests.agent.files.device import Bundle, Device, bundle, job, sha, wheel
from tests.agent.files.power_cut import careless_renames, cut_before

OLDEST = bundle(files={"candidates/ort/model.onnx": b"oldest"})
OLDER = bundle(files={"candidates/ort/model.onnx": b"older"})
OLD = bundle(files={"candidates/ort/model.onnx": b"old", "candidates/ort/shared.bin": b"shared"})
NEW = bundle(
    files={
        "candidates/ort/model.onnx": b"new",
        "candidates/ort/shared.bin": b"shared",
        "candidates/ort/edgeq_runtime.py": b"pass\n",
    }
)
WHEEL = wheel({"tiny/__init__.py": b"answer = 42\n", "tiny-1.0.data/purelib/other.py": b"pass\n"})
FOLDER = f"tiny-1.0-{sha(WHEEL)[:8]}"
MODEL = b"weights" * 1000
PACKED = pack(MODEL)
UNPACKED = {"packed": sha(PACKED), "sha256": sha(MODEL), "size": len(MODEL)}


def command(device: Device, name: str, /, **payload: Any) -> Any:
    """A command of the agent inside this process."""
    module = import_module(f"edgeq.agent.commands.{name}")
    return module.answer(module.Request.from_dict(payload), Root(device.root))


def install(device: Device, token: str, what: Bundle) -> None:
    device.upload(*what.files.values())
    command(device, "install", token=token, manifest=what.manifest.to_dict())


def activate(device: Device, token: str, what: Bundle, keep: int = 3) -> None:
    request = {"app": "net", "digest": what.digest, "candidate": "ort", "keep": keep}
    command(device, "activate", token=token, **request, job=job().to_dict())


def stand(device: Device, token: str) -> None:
    """What was there before: a live release, an older one, and one older still."""
    for what in (OLDEST, OLDER, OLD):
        install(device, token, what)
        activate(device, token, what)


def fresh(device: Device, n: int) -> Device:
    """A device of its own in the same state, for one cut."""
    copy = replace(device, root=device.root.with_name(f"cut-{n}"))
    shutil.copytree(device.root, copy.root, symlinks=True)
    return copy


def damage(device: Device) -> None:
    model = device.root / "apps/net/releases" / OLD.digest / "candidates/ort/model.onnx"
    model.unlink()
    model.write_bytes(b"0ld")


STEPS: dict[str, Callable[[Device, str], None]] = {
    "install": lambda d, t: install(d, t, NEW),
    "install and activate": lambda d, t: (install(d, t, NEW), activate(d, t, NEW, keep=2)),  # type: ignore[dict-item]
    "rollback": lambda d, t: command(d, "rollback", token=t, app="net", to=OLDER.digest[:8]),
    "unpack": lambda d, t: (d.upload(WHEEL), command(d, "unpack", token=t, sha256=sha(WHEEL), name=FOLDER)),  # type: ignore[dict-item]
    "expand": lambda d, t: (d.upload(PACKED), command(d, "expand", token=t, **UNPACKED)),  # type: ignore[dict-item]
    "samples": lambda d, t: (d.upload(b"npy"), command(d, "samples", token=t, files=[sha(b"npy")])),  # type: ignore[dict-item]
    "remove": lambda d, t: (
        command(d, "remove", token=t, app="net") if "net" in app_names(Root(d.root)) else None
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_change(device: Device, token: str, step: str) -> None:
    stand(device, token)
    for n in count(1):
        one = fresh(device, n)
        ended = not cut_before(n, partial(STEPS[step], one, token))
        whole_and_live(one)
        command(one, "sweep", token=token)
        assert not one.leftovers(), f"after the cut before change {n}"
        STEPS[step](one, token)
        whole_and_live(one)
        if ended:
            break
    assert n > 10, "the cuts missed the changes"


def test_a_repair_that_is_cut_off_can_be_done_again(device: Device, token: str) -> None:
    stand(device, token)
    damage(device)
    for n in count(1):
        one = fresh(device, n)
        ended = not cut_before(n, partial(install, one, token, OLD))
        assert (one.root / "apps/net/current/model.onnx").exists(), f"at the cut before change {n}"
        command(one, "sweep", token=token)
        install(one, token, OLD)
        whole_and_live(one)
        if ended:
            break
    assert n > 10, "the cuts missed the changes"


@pytest.mark.parametrize("step", ["remove", "install and activate"])
def test_no_cut_loses_a_file_that_an_application_put_into_a_release(
    device: Device, token: str, step: str
) -> None:
    """A whole app is removed, and the oldest release is pruned."""
    stand(device, token)
    (device.root / "apps/net/releases" / OLDEST.digest / "candidates/ort/app.log").write_text("mine")
    for n in count(1):
        one = fresh(device, n)
        ended = not cut_before(n, partial(STEPS[step], one, token))
        command(one, "sweep", token=token)
        STEPS[step](one, token)
        (kept,) = (one.root / "apps").rglob("app.log")
        assert kept.read_text() == "mine" and ".kept" in kept.parent.parent.parent.name
        assert not one.leftovers(), f"after the cut before change {n}"
        if ended:
            break
    assert n > 10, "the cuts missed the changes"


@pytest.mark.parametrize("step", STEPS)
def test_nothing_gets_its_name_before_it_is_on_the_disk(device: Device, token: str, step: str) -> None:
    stand(device, token)
    assert careless_renames(lambda: STEPS[step](device, token)) == []


def test_the_watch_sees_a_careless_rename(tmp_path: Path) -> None:
    def careless() -> None:
        (tmp_path / "a").write_bytes(b"x")
        (tmp_path / "a").rename(tmp_path / "b")

    assert len(careless_renames(careless)) == 2


def whole_and_live(device: Device) -> None:
    """Each release that `status` would show is complete, and `current` leads into one of them."""
    root = Root(device.root)
    for name in app_names(root):
        view = app_view(root, name)
        for release in view.releases:
            folder = root.release(name, release.digest)
            manifest = read_manifest(folder)
            assert manifest is not None and findings(folder, manifest) == ()
        if view.live is not None:
            assert view.live in {r.digest for r in view.releases}
            assert (root.current(name) / "model.onnx").is_file()
    for folder in root.wheels.glob("[!.]*"):
        assert (folder / "tiny/__init__.py").read_bytes() == b"answer = 42\n"
        assert (folder / "other.py").exists() and list(folder.glob("__pycache__/other.*.pyc"))
