"""seal, samples, inventory, sweep, remove: files on their way in and out."""

import os
import random
from pathlib import Path

import pytest

from edgeq.errors import ArtifactCorrupt, DataRefused, RemoteFailed
from tests.agent.files.device import Bundle, Device, bundle, job, sha, wheel

DATA = b"bytes of a model"


def part(device: Device, data: bytes = DATA, name: str = sha(DATA)) -> Path:
    path = device.root / "incoming" / f"{name}.part"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_complete_upload_becomes_the_file(device: Device) -> None:
    goal = part(device).with_suffix("")
    device.call("seal", path=str(goal), sha256=sha(DATA), size=len(DATA))
    assert goal.read_bytes() == DATA and not goal.with_suffix(".part").exists()
    device.call(
        "seal", path=f"incoming/{goal.name}", sha256=sha(DATA), size=len(DATA)
    )  # an answer that was lost


def test_a_damaged_upload_is_removed_and_a_short_one_kept(device: Device) -> None:
    damaged = part(device, DATA[:-1] + b"L")
    with pytest.raises(ArtifactCorrupt, match="arrived damaged"):
        device.call("seal", path=f"incoming/{sha(DATA)}", sha256=sha(DATA), size=len(DATA))
    assert not damaged.exists()

    short = part(device, DATA[:-1])
    with pytest.raises(ArtifactCorrupt, match=f"{len(DATA) - 1} of {len(DATA)} bytes"):
        device.call("seal", path=f"incoming/{sha(DATA)}", sha256=sha(DATA), size=len(DATA))
    assert short.exists()


def test_only_files_below_the_root_are_sealed(device: Device, tmp_path: Path) -> None:
    device.root.mkdir()
    (device.root / "out").symlink_to(tmp_path)
    (tmp_path / "x.part").write_bytes(DATA)
    for path in (str(tmp_path / "x"), "../x", "out/x", ".."):
        with pytest.raises(RemoteFailed, match="does not lie below"):
            device.call("seal", path=path, sha256=sha(DATA), size=len(DATA))


def test_check_samples_are_gathered_once_and_found_again(device: Device, token: str) -> None:
    device.upload(b"zero", b"one")
    files = [sha(b"zero"), sha(b"one")]
    path = device.root / device.call("samples", token=token, files=files)["path"]

    assert [(path / f"{i}.npy").read_bytes() for i in (0, 1)] == [b"zero", b"one"]
    assert device.call("inventory", sha256=files)["have"] == files and not device.leftovers()
    assert device.root / device.call("samples", token=token, files=files)["path"] == path
    other = device.call("samples", token=token, files=files[:1])["path"]
    assert (device.root / other / "0.npy").read_bytes() == b"zero", "taken from what is here already"


def test_damaged_samples_are_mended(device: Device, token: str) -> None:
    device.upload(b"zero")
    path = device.root / device.call("samples", token=token, files=[sha(b"zero")])["path"]
    (path / "0.npy").chmod(0o644)
    (path / "0.npy").write_bytes(b"orez")
    with pytest.raises(ArtifactCorrupt):
        device.call("samples", token=token, files=[sha(b"zero")])
    device.upload(b"zero")
    device.call("samples", token=token, files=[sha(b"zero")])
    assert (path / "0.npy").read_bytes() == b"zero"


def test_samples_are_named_by_hashes(device: Device, token: str) -> None:
    for files in ([], ["../x"]):
        with pytest.raises(DataRefused):
            device.call("samples", token=token, files=files)


def test_sweep_keeps_what_the_live_app_needs_and_nothing_else(device: Device, token: str) -> None:
    used, unused = wheel(name="used"), wheel(name="unused")
    device.upload(used, unused, b"s1", b"s2")
    needed = device.call("unpack", token=token, sha256=sha(used), name=f"used-1.0-{sha(used)[:8]}")["path"]
    device.call("unpack", token=token, sha256=sha(unused), name=f"unused-1.0-{sha(unused)[:8]}")
    samples = device.call("samples", token=token, files=[sha(b"s1")])["path"]
    device.call("samples", token=token, files=[sha(b"s2")])
    entrant = type(job().entrants[0])(**{**vars(job().entrants[0]), "python_path": (needed,)})
    device.deploy(token, bundle(), job=job(samples=samples, entrants=(entrant,)).to_dict())
    part(device)
    (device.root / "wheels/.edgeq-0123abcd.half-1.0-01234567.tmp").mkdir()
    (device.root / "apps/net/.edgeq-0123abcd.current.tmp").symlink_to("nowhere")

    said = device.call("sweep", token=token)
    assert len(said["removed"]) == 5 and said["bytes"] > 0
    assert [p.name for p in (device.root / "wheels").iterdir()] == [Path(needed).name]
    assert [p.name for p in (device.root / "samples").iterdir()] == [Path(samples).name]
    assert not device.leftovers()


def test_wheels_stay_while_it_is_not_known_who_needs_them(device: Device, token: str) -> None:
    device.upload(wheel())
    path = device.call("unpack", token=token, sha256=sha(wheel()), name=f"tiny-1.0-{sha(wheel())[:8]}")[
        "path"
    ]
    device.deploy(token, bundle())
    device.call("sweep", token=token)
    assert (device.root / path).is_dir()


def test_sweep_can_spare_uploads_that_may_be_resumed(device: Device, token: str) -> None:
    fresh, stale = part(device), part(device, name="0" * 64)
    os.utime(stale, (1, 1))
    device.call("sweep", token=token, older_than_s=3600)
    assert fresh.exists() and not stale.exists()


def test_what_would_go_is_what_goes(device: Device, token: str) -> None:
    """Of two releases that share a file it counts once; of other models nothing."""
    weights = random.Random(1).randbytes(300_000)

    def released(name: str, contract: bytes) -> Bundle:
        return bundle(name, {"candidates/ort/model.onnx": weights, "candidates/ort/contract.json": contract})

    device.deploy(token, released("other", b"{}"))
    device.deploy(token, released("net", b"{}"))
    device.call("sweep", token=token)
    device.upload(b'{"a": 1}')  # of the next release only this is not there yet
    device.call("install", token=token, manifest=released("net", b'{"a": 1}').manifest.to_dict())
    device.call("sweep", token=token)

    both = device.call("remove", app="net", dry_run=True)
    assert 300_000 < both["bytes"] < 400_000
    assert (device.root / "apps" / "net" / "current").exists()
    assert device.call("remove", token=token, app="net") == both


def test_remove_one_app_and_then_everything(device: Device, token: str) -> None:
    device.deploy(token, bundle("first"))
    device.deploy(token, bundle("second"))
    (device.root / "notes.txt").write_text("somebody else's")

    assert device.call("remove", token=token, app="first")["removed"] == ["apps/first"]
    assert [a["name"] for a in device.call("status")["apps"]] == ["second"]
    with pytest.raises(RemoteFailed, match="no app 'first'"):
        device.call("remove", token=token, app="first")
    with pytest.raises(RemoteFailed, match="takes either an app or everything"):
        device.call("remove", token=token)
    assert device.call("remove", token=token, everything=True)["bytes"] > 0
    assert [p.name for p in device.root.iterdir()] == ["notes.txt"]


def test_the_agent_that_was_used_last_is_current(device: Device, archive: object) -> None:
    own = device.root / "agent" / device.archive.name
    own.parent.mkdir(parents=True)
    own.write_bytes(device.archive.read_bytes())
    there = Device(device.root, own)
    token = there.lock()
    assert (device.root / "agent/current").readlink() == Path(own.name)

    service = Device(device.root, device.root / "agent/current")
    assert service.call("status")["agent"] == own.stem
    assert service.call("remove", token=token, everything=True)["removed"][-1] == "agent"
    assert not device.root.exists()
