"""A root in which somebody else keeps files too, with names that look like edgeq's: no command removes or changes any of them."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.agent import owned
from edgeq.agent.layout import Root
from edgeq.errors import ArtifactCorrupt, RemoteFailed
from tests.agent.files.device import Device, bundle, job, sha, wheel

# At any depth, in the folders that edgeq uses too and in others.
THEIRS = (
    "notes.txt",
    ".backup.tmp",
    ".cache.0123abcd.tmp",
    ".edgeq-notes.tmp",
    "project/.edgeq-0123abcd.draft.tmp",
    "project/.cache.tmp",
    "project/results/run-1/measurement.json",
    "project/incoming/" + "a" * 64,
    "agent/mine.pyz",
    "agent/0123456789abcdef.pyz.bak",
    "agent/.vim.tmp",
    "wheels/mine-1.0-01234567/data.bin",
    "wheels/numpy-2.0.0-py3-none-any.whl",
    "incoming/holiday.iso",
    "incoming/holiday.iso.part",
    "incoming/" + "a" * 63,
    "samples/x.wav",
    "samples/" + "b" * 64 + "/files.json",
    "apps/notes.txt",
    "apps/mine/data.db",
    "apps/mine/releases.txt",
    "apps/games/history.json",
    "apps/games/releases/2025/notes.txt",
    "jobs/list.txt",
    "jobs/running/list.txt",
    "results/summary.csv",
    "results/run-1/measurement.json",
    "results/run-2/plots/0.npy",
    "results/.plots.tmp",
    "results/20250131T120000-0123abcd/notes.txt",
)


@pytest.fixture
def theirs(device: Device) -> dict[str, str]:
    for name in THEIRS:
        (device.root / name).parent.mkdir(parents=True, exist_ok=True)
        (device.root / name).write_text(f"mine: {name}")
    (device.root / "samples/link").symlink_to(device.root / "project")
    (device.root / "results/link").symlink_to(device.root / "project/results/run-1")
    return seen(device)


def seen(device: Device) -> dict[str, str]:
    """Each of their files with its bytes; links with where they lead."""
    found = {}
    for name in (*THEIRS, "samples/link", "results/link"):
        path = device.root / name
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def everything_of_edgeqs(device: Device, token: str) -> None:
    """Releases, wheels, samples, uploads, results, a waiting job, and what cuts left half made."""
    packed = wheel()
    device.upload(packed, b"s1", b"never used")
    folder = device.call("unpack", token=token, sha256=sha(packed), name=f"tiny-1.0-{sha(packed)[:8]}")[
        "path"
    ]
    samples = device.call("samples", token=token, files=[sha(b"s1")])["path"]
    known = job(samples=samples)
    entrant = replace(known.entrants[0], python_path=(folder,))
    device.deploy(token, bundle(), job=replace(known, entrants=(entrant,)).to_dict())
    device.call("work", token=token, job=replace(known, id="job-7").to_dict())
    device.call("submit", job=replace(known, id="waits").to_dict())
    for place in ("wheels", "apps/net", "apps/net/releases", "samples", "results/job-7", "jobs"):
        (device.root / place / ".edgeq-89abcdef.x.tmp").mkdir(parents=True)
        (device.root / place / ".edgeq-89abcdef.x.tmp/half").write_text("half")
    (device.root / ".edgeq-89abcdef.lock.json.tmp").write_text("{")
    (device.root / "incoming" / (sha(b"x") + ".part")).write_text("half")
    (device.root / "results/20250131T130000-0123abcd/ort").mkdir(parents=True)
    (device.root / "results/20250131T130000-0123abcd/ort/0.npy").write_text("half")


def test_sweep_leaves_what_others_made(device: Device, token: str, theirs: dict[str, str]) -> None:
    everything_of_edgeqs(device, token)
    removed = device.call("sweep", token=token)["removed"]
    assert seen(device) == theirs
    assert (
        sum(name.endswith("x.tmp") for name in removed) == 6 and f"incoming/{sha(b'never used')}" in removed
    )
    assert device.live_model() == b"weights"


def test_everything_is_everything_of_edgeqs(device: Device, token: str, theirs: dict[str, str]) -> None:
    everything_of_edgeqs(device, token)
    would = device.call("remove", everything=True, dry_run=True)["removed"]
    removed = device.call("remove", token=token, everything=True)["removed"]
    assert seen(device) == theirs
    left = {
        p.relative_to(device.root).as_posix()
        for p in device.root.rglob("*")
        if p.is_symlink() or not p.is_dir()
    }
    assert left == {*THEIRS, "samples/link", "results/link"}
    assert set(would) <= set(removed)


def test_a_root_of_edgeqs_alone_goes_whole(device: Device, token: str) -> None:
    everything_of_edgeqs(device, token)
    device.call("remove", token=token, everything=True)
    assert not device.root.exists()


def test_it_goes_without_a_token_when_nobody_holds_the_device(device: Device, token: str) -> None:
    everything_of_edgeqs(device, token)
    with pytest.raises(Exception, match="by ann@host"):
        device.call("remove", everything=True)
    device.call("unlock", token=token)
    device.call("remove", everything=True)
    assert not device.root.exists()


def test_a_file_beside_the_releases_of_an_app_stays(device: Device, token: str) -> None:
    device.deploy(token, bundle())
    (device.root / "apps/net/my-notes.txt").write_text("mine")
    device.call("remove", token=token, app="net")
    assert [p.name for p in (device.root / "apps/net").iterdir()] == ["my-notes.txt"]


def test_a_folder_beside_the_apps_is_no_app(device: Device, token: str, theirs: dict[str, str]) -> None:
    assert device.call("status")["apps"] == []
    with pytest.raises(RemoteFailed, match="no app 'games'"):
        device.call("remove", token=token, app="games")
    assert seen(device) == theirs


def test_a_job_cannot_empty_a_folder_of_its_name(device: Device, token: str) -> None:
    (device.root / "results/holiday/ort").mkdir(parents=True)
    (device.root / "results/holiday/photo.jpg").write_text("mine")
    (device.root / "results/holiday/ort/photo.jpg").write_text("mine")
    device.call("work", token=token, job=job("holiday").to_dict())
    assert (device.root / "results/holiday/photo.jpg").read_text() == "mine"
    device.call("withdraw", id="holiday", token=token)
    assert (device.root / "results/holiday/ort/photo.jpg").read_text() == "mine"
    assert not (device.root / "results/holiday/measurement.json").exists()


def test_a_file_in_a_results_place_is_named_and_stays(device: Device, token: str) -> None:
    (device.root / "results").mkdir()
    (device.root / "results/job-1").write_text("mine")
    with pytest.raises(RemoteFailed, match="results/job-1 is not edgeq's"):
        device.call("work", token=token, job=job("job-1").to_dict())
    assert (device.root / "results/job-1").read_text() == "mine"


def test_old_results_go_and_others_measurements_stay(device: Device, token: str) -> None:
    (device.root / "results/mine").mkdir(parents=True)
    (device.root / "results/mine/measurement.json").write_text(json.dumps({"temperature": 21}))
    device.call("work", token=token, job=job("job-1").to_dict())
    assert device.call("results")["results"] == ["job-1"]


def test_a_release_that_names_another_in_its_record_removes_only_itself(device: Device, token: str) -> None:
    precious = device.root.parent / "precious"
    precious.mkdir()
    installed = bundle()
    device.upload(*installed.files.values())
    device.call("install", token=token, manifest=installed.manifest.to_dict())
    record: Path = device.root / "apps/net/releases" / installed.digest / "release.json"
    record.write_text(json.dumps({"digest": "../../../../precious", "installed_utc": "9", "bytes": 1}))
    for n in range(4):
        device.deploy(token, bundle(files={"candidates/ort/model.onnx": b"%d" % n}), keep=1)
    assert precious.is_dir()


@pytest.mark.parametrize(
    "name", ["numpy-2.1.0-01234567", "ai-edge-litert-2.3.0-1f15078a", "flat_buffers-1.0+x-89abcdef"]
)
def test_an_unpacked_wheel_is_known_by_its_name_and_record(tmp_path: Path, name: str) -> None:
    record = tmp_path / "wheels" / name / "some-1.0.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.touch()
    assert [p.name for p in owned.wheels(Root(tmp_path))] == [name]


# What an application or its user may leave in the folder of a release, beside the model or on top.
IN_A_RELEASE = ("candidates/ort/app.log", "notes.txt", "logs/2025/day.log", "jobs/cron.txt", "model.bak/0")


def into(folder: Path) -> set[Path]:
    for name in IN_A_RELEASE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    return {Path(f"{folder}.kept") / name for name in IN_A_RELEASE}


def are_whole(kept: set[Path]) -> bool:
    below = {parent for path in kept for parent in path.parents if parent.name.endswith(".kept")}
    there = {p for folder in below for p in folder.rglob("*") if not p.is_dir()}
    return there == kept and {p.read_text()[:5] for p in kept} == {"mine:"}


@pytest.mark.parametrize("what", [{"app": "net"}, {"everything": True}], ids=["app", "everything"])
def test_removal_keeps_and_names_what_others_put_into_a_release(
    device: Device, token: str, what: dict[str, object]
) -> None:
    device.deploy(token, bundle(), job=job().to_dict())
    release = (device.root / "apps/net/current").resolve().parent.parent
    kept = into(release)
    would = device.call("remove", dry_run=True, **what)
    said = device.call("remove", token=token, **what)
    assert are_whole(kept)
    left = {p for p in device.root.rglob("*") if not p.is_dir()} - kept
    assert {p.name for p in left} <= ({"lock", "lock.json"} if "app" in what else set())
    assert {device.root / name for name in said["kept"]} == {
        *(p for p in kept if p.parent.name in ("ort", "jobs") or p.name == "notes.txt"),
        *(Path(f"{release}.kept") / name for name in ("logs", "model.bak")),
    }
    assert {name.replace(".kept", "") for name in said["kept"]} == set(would["kept"])
    assert not any("notes" in name or "log" in name for name in would["removed"])


def test_pruning_keeps_what_others_put_into_a_release(device: Device, token: str) -> None:
    versions = [bundle(files={"candidates/ort/model.onnx": b"%d" % n}) for n in range(4)]
    device.deploy(token, versions[0])
    kept = into(device.root / "apps/net/releases" / versions[0].digest)
    for version in versions[1:]:
        device.deploy(token, version, keep=1)
    assert are_whole(kept)
    assert versions[0].digest not in {r["digest"] for r in device.call("status")["apps"][0]["releases"]}


@pytest.mark.parametrize("damage", ["nothing", "the model", "a folder in the model's place"])
def test_mending_keeps_what_others_put_into_a_release(device: Device, token: str, damage: str) -> None:
    device.deploy(token, bundle())
    release = device.root / "apps/net/releases" / bundle().digest
    kept = into(release)
    model = release / "candidates/ort/model.onnx"
    if damage != "nothing":
        model.unlink()
    if damage == "the model":
        model.write_bytes(b"broken")
    if damage == "a folder in the model's place":
        model.mkdir()
        (model / "data").write_text("mine: data")
        kept.add(Path(f"{release}.kept/candidates/ort/model.onnx/data"))
    device.deploy(token, bundle())
    assert are_whole(kept)
    assert device.live_model() == b"weights"


@pytest.mark.parametrize("to", [None, bundle().digest[:8]], ids=["the one before", "by its digest"])
def test_what_others_put_into_a_release_is_no_obstacle_on_the_way_back(
    device: Device, token: str, to: "str | None"
) -> None:
    device.deploy(token, bundle())
    assert device.deploy(token, bundle(files={"candidates/ort/model.onnx": b"new"}))["kept"] is None
    release = device.root / "apps/net/releases" / bundle().digest
    kept = into(release)

    live = device.call("rollback", token=token, app="net", **({"to": to} if to else {}))
    assert (live["live"], live["kept"]) == (bundle().digest, f"{release}.kept")
    assert device.live_model() == b"weights"
    assert are_whole(kept)
    assert device.call("rollback", token=token, app="net")["kept"] is None


@pytest.mark.parametrize("what", ["candidates/ort/evil.so", "an empty folder", "a link"])
def test_nothing_of_others_is_beside_a_model_that_goes_live(device: Device, token: str, what: str) -> None:
    device.deploy(token, bundle())
    device.deploy(token, bundle(files={"candidates/ort/model.onnx": b"new"}))
    release = device.root / "apps/net/releases" / bundle().digest
    if what == "an empty folder":
        (release / what).mkdir()
    elif what == "a link":
        (release / what).symlink_to("/etc")
    else:
        (release / what).write_bytes(b"")
    device.call("rollback", token=token, app="net")
    assert not os.path.lexists(release / what)
    assert os.path.lexists(Path(f"{release}.kept") / what)


def test_a_damaged_release_is_left_as_it_is_with_what_others_put_there(device: Device, token: str) -> None:
    device.deploy(token, bundle())
    device.deploy(token, bundle(files={"candidates/ort/model.onnx": b"new"}))
    release = device.root / "apps/net/releases" / bundle().digest
    (release / "candidates/ort/app.log").write_text("mine")
    (release / "candidates/ort/model.onnx").unlink()
    with pytest.raises(ArtifactCorrupt) as damaged:
        device.call("rollback", token=token, app="net")
    assert [*damaged.value.details] == ["candidates/ort/app.log: extra", "candidates/ort/model.onnx: missing"]
    assert (release / "candidates/ort/app.log").read_text() == "mine"


def test_what_was_kept_before_is_not_overwritten(device: Device, token: str) -> None:
    for text in ("first", "second"):
        device.deploy(token, bundle())
        release = device.root / "apps/net/releases" / bundle().digest
        (release / "app.log").write_text(text)
        device.call("remove", token=token, app="net")
    kept = sorted((device.root / "apps/net/releases").glob("*/app.log"))
    assert [p.read_text() for p in kept] == ["first", "second"]
    assert device.call("status")["apps"] == []


@pytest.mark.parametrize("how", ["sweep", "remove", "mend"])
def test_what_others_put_into_a_wheel_is_kept(device: Device, token: str, how: str) -> None:
    packed = wheel()
    request = {"token": token, "sha256": sha(packed), "name": f"tiny-1.0-{sha(packed)[:8]}"}
    device.upload(packed)
    folder = device.root / device.call("unpack", **request)["path"]
    for name in ("tiny/settings.ini", "data/words.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    if how == "sweep":
        said = device.call("sweep", token=token)
        assert sorted(Path(p).name for p in said["kept"]) == ["data", "settings.ini"]
    elif how == "remove":
        device.call("remove", token=token, everything=True)
    else:
        (folder / "tiny/__init__.py").unlink()
        device.upload(packed)
        device.call("unpack", **request)
    beside = Path(f"{folder}.kept")
    assert {p.relative_to(beside).as_posix() for p in beside.rglob("*") if p.is_file()} == {
        "tiny/settings.ini",
        "data/words.txt",
    }
    assert folder.exists() == (how == "mend")


@pytest.mark.parametrize(
    "files",
    [
        {"tiny/a.b.py": b"x = 1\n", "top.py": b""},
        {"tiny/__init__.py": b"", "tiny/__pycache__/__init__.cpython-38.pyc": b"as packed"},
    ],
    ids=["a dot in a module's name", "packed with its __pycache__"],
)
def test_what_was_compiled_goes_with_its_wheel(device: Device, token: str, files: dict[str, bytes]) -> None:
    packed = wheel(files)
    device.upload(packed)
    device.call("unpack", token=token, sha256=sha(packed), name=f"tiny-1.0-{sha(packed)[:8]}")
    device.call("remove", token=token, everything=True)
    assert not device.root.exists()
