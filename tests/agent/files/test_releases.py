"""install, activate, rollback, discard: spoken to the real agent as the host speaks to it."""

from pathlib import Path

import pytest

from edgeq.errors import ArtifactCorrupt, BundleRefused, DeviceBusy, RemoteFailed
from tests.agent.files.device import Bundle, Device, bundle, job, sha

V1 = bundle(files={"candidates/ort/model.onnx": b"one", "candidates/lite/model.onnx": b"lite"})
V2 = bundle(files={"candidates/ort/model.onnx": b"two", "candidates/lite/model.onnx": b"lite"})
V3 = bundle(files={"candidates/ort/model.onnx": b"three"})
V4 = bundle(files={"candidates/ort/model.onnx": b"four"})


def test_the_first_release(device: Device, token: str) -> None:
    app = device.deploy(token, V1)

    assert app["live"] == V1.digest and app["previous"] is None
    assert app["path"] == str(device.root / "apps/net/current")
    assert device.live_model() == b"one"
    assert (device.root / "apps/net/current").readlink() == Path("releases", V1.digest, "candidates", "ort")
    assert not device.leftovers(), "the release owns its files; incoming/ is empty"


def test_the_digest_is_the_hash_of_the_manifest_that_lies_there(device: Device, token: str) -> None:
    device.deploy(token, V1)

    assert sha((device.root / "apps/net/releases" / V1.digest / "manifest.json").read_bytes()) == V1.digest


def test_files_of_older_releases_are_not_sent_again(device: Device, token: str) -> None:
    device.deploy(token, V1)
    have = device.call("inventory", sha256=[a.sha256 for a in V2.manifest.artifacts])["have"]
    device.upload(b"two")
    device.call("install", token=token, manifest=V2.manifest.to_dict())

    assert have == [sha(b"lite")]
    kept = device.root / "apps/net/releases" / V2.digest / "candidates/lite/model.onnx"
    assert kept.stat().st_nlink == 2


def test_uploads_on_another_file_system_are_copied(device: Device, token: str, tmp_path: Path) -> None:
    if tmp_path.stat().st_dev == device.root.stat().st_dev:
        pytest.skip("there is only one file system here")
    (device.root / "incoming").symlink_to(tmp_path)
    device.deploy(token, V1)
    assert device.live_model() == b"one"


def test_twice_the_same_changes_nothing(device: Device, token: str) -> None:
    first = device.deploy(token, V1, job=job().to_dict())
    before = _everything(device)
    again = device.call("install", token=token, manifest=V1.manifest.to_dict())
    device.call("activate", token=token, app="net", digest=V1.digest, candidate="ort", job=job().to_dict())

    assert again["digest"] == first["live"]
    assert _everything(device) == before


def test_that_a_speed_was_never_compared_is_known_until_it_is(device: Device, token: str) -> None:
    assert device.deploy(token, V1)["not_compared"] is None
    device.deploy(token, V2, not_compared="the device was not quiet")
    assert device.call("rollback", token=token, app="net")["not_compared"] is None
    assert "quiet" in device.call("rollback", token=token, app="net", to=V2.digest)["not_compared"]
    assert "quiet" in device.call("rollback", token=token, app="net", to=V2.digest)["not_compared"]
    assert device.deploy(token, V2)["not_compared"] is None  # measured again


def test_another_name_on_the_device(device: Device, token: str) -> None:
    device.upload(*V1.files.values())
    device.call("install", token=token, manifest=V1.manifest.to_dict(), app="door-2")

    assert [a["name"] for a in device.call("status")["apps"]] == ["door-2"]


def test_missing_files_are_named_and_nothing_is_left(device: Device, token: str) -> None:
    device.upload(b"one")
    with pytest.raises(ArtifactCorrupt) as error:
        device.call("install", token=token, manifest=V1.manifest.to_dict())

    assert "candidates/lite/model.onnx" in error.value.details[0]
    assert error.value.live == "net = nothing"
    assert not list((device.root / "apps").rglob("*.onnx"))


def test_a_flipped_bit_in_an_upload(device: Device, token: str) -> None:
    """What arrived damaged is refused and removed, so that it does not pass for present; what was live stays."""
    device.deploy(token, V1)
    device.upload(b"two")
    (device.root / "incoming" / sha(b"two")).write_bytes(b"tvo")
    with pytest.raises(ArtifactCorrupt) as error:
        device.call("install", token=token, manifest=V2.manifest.to_dict())

    assert error.value.live == f"net = {V1.digest[:7]} (ort)"
    assert device.live_model() == b"one"
    assert sha(b"two") not in device.call("inventory", sha256=[sha(b"two")])["have"]


@pytest.mark.parametrize("damage", ["changed", "missing", "a link", "a linked folder"])
def test_a_damaged_release_is_found_and_mended(
    device: Device, token: str, damage: str, tmp_path: Path
) -> None:
    device.deploy(token, V1)
    device.deploy(token, V2)
    folder = device.root / "apps/net/releases" / V1.digest
    model = folder / "candidates/ort/model.onnx"
    outside = tmp_path / "outside"
    outside.mkdir()
    model.unlink()
    if damage == "changed":
        model.write_bytes(b"eno")
    if damage == "a link":
        model.symlink_to("/etc/passwd")
    if damage == "a linked folder":
        model.parent.rmdir()
        model.parent.symlink_to(outside)

    with pytest.raises(ArtifactCorrupt) as error:
        device.call("rollback", token=token, app="net")
    assert error.value.live == f"net = {V2.digest[:7]} (ort)"

    device.upload(*V1.files.values())
    device.call("install", token=token, manifest=V1.manifest.to_dict())
    assert device.call("rollback", token=token, app="net")["live"] == V1.digest
    assert device.live_model() == b"one"
    assert not list(outside.iterdir())


def test_a_damaged_release_whose_files_are_nowhere_else(device: Device, token: str) -> None:
    device.deploy(token, V3)
    model = device.root / "apps/net/releases" / V3.digest / "candidates/ort/model.onnx"
    model.unlink()
    model.write_bytes(b"eerht")
    with pytest.raises(ArtifactCorrupt):
        device.call("install", token=token, manifest=V3.manifest.to_dict())
    assert device.call("inventory", sha256=[sha(b"three")])["have"] == []


def test_an_error_names_a_few_of_many_models(device: Device, token: str) -> None:
    for name in ("ant", "bee", "cat", "dog", "eel"):
        device.deploy(token, bundle(name))
    with pytest.raises(DeviceBusy) as busy:
        device.lock()
    assert busy.value.live is not None and busy.value.live.startswith("ant = ")
    assert busy.value.live.endswith("(ort) and 2 more (`edgeq status`)") and busy.value.live.count(" = ") == 3


def test_keep_removes_the_oldest_and_never_the_live_one_or_the_one_before(device: Device, token: str) -> None:
    for version in (V1, V2, V3):
        device.deploy(token, version, keep=3)
    assert _digests(device) == [V3.digest, V2.digest, V1.digest]
    device.deploy(token, V4, keep=1)
    assert _digests(device) == [V4.digest, V3.digest]


def test_rollback_is_undone_by_rollback(device: Device, token: str) -> None:
    device.deploy(token, V1)
    device.deploy(token, V2)

    assert device.call("rollback", token=token, app="net")["live"] == V1.digest
    assert device.live_model() == b"one"
    assert device.call("rollback", token=token, app="net")["live"] == V2.digest


def test_a_dry_run_of_rollback_says_what_would_be_and_changes_nothing(device: Device, token: str) -> None:
    device.deploy(token, V1)
    with pytest.raises(RemoteFailed, match="no earlier release"):
        device.call("rollback", app="net", dry_run=True)
    device.deploy(token, V2)
    history = (device.root / "apps/net/history.json").read_bytes()

    would = device.call("rollback", app="net", dry_run=True)
    assert (would["live"], would["candidate"], would["previous"]) == (V1.digest, "ort", V2.digest)
    assert device.live_model() == b"two"
    assert (device.root / "apps/net/history.json").read_bytes() == history
    done = device.call("rollback", token=token, app="net")
    assert [done[key] for key in ("live", "candidate", "previous")] == [V1.digest, "ort", V2.digest]


def test_rollback_goes_back_to_another_candidate_of_the_same_release(device: Device, token: str) -> None:
    device.deploy(token, V1, candidate="ort")
    device.deploy(token, V1, candidate="lite")

    app = device.call("rollback", token=token, app="net")
    assert (app["live"], app["candidate"]) == (V1.digest, "ort")


def test_rollback_to_a_prefix(device: Device, token: str) -> None:
    for version in (V1, V2, V3):
        device.deploy(token, version)

    assert device.call("rollback", token=token, app="net", to=V1.digest[:8])["live"] == V1.digest
    with pytest.raises(RemoteFailed, match="fits no release"):
        device.call("rollback", token=token, app="net", to="xyz")
    with pytest.raises(RemoteFailed, match="fits more than one") as error:
        device.call("rollback", token=token, app="net", to="")
    assert sorted(error.value.details) == sorted([V1.digest, V2.digest, V3.digest])


def test_rollback_with_nothing_to_go_back_to(device: Device, token: str) -> None:
    device.deploy(token, V1)
    with pytest.raises(RemoteFailed, match="no earlier release") as error:
        device.call("rollback", token=token, app="net")
    assert error.value.live == f"net = {V1.digest[:7]} (ort)"


def test_a_release_that_was_never_live_is_no_way_back(device: Device, token: str) -> None:
    device.deploy(token, V1)
    device.upload(*V2.files.values())
    device.call("install", token=token, manifest=V2.manifest.to_dict())
    with pytest.raises(RemoteFailed, match="never live"):
        device.call("rollback", token=token, app="net", to=V2.digest[:8])


def test_a_switch_that_was_not_written_down_is_known_by_its_link(device: Device, token: str) -> None:
    """As after a power cut between the rename of `current` and the history."""
    device.deploy(token, V1)
    device.deploy(token, V2)
    history = device.root / "apps/net/history.json"
    history.write_text("[]")

    assert device.call("status")["apps"][0]["live"] == V2.digest
    device.deploy(token, V3)
    assert device.call("rollback", token=token, app="net")["live"] == V2.digest


def test_discard_undoes_a_first_install_that_never_went_live(device: Device, token: str) -> None:
    device.upload(*V1.files.values())
    device.call("install", token=token, manifest=V1.manifest.to_dict())
    device.call("discard", token=token, app="net", digest=V1.digest)
    assert device.call("status")["apps"] == []


def test_discard_leaves_what_is_or_was_live(device: Device, token: str) -> None:
    device.deploy(token, V1)
    device.deploy(token, V2)
    for version in (V1, V2):
        device.call("discard", token=token, app="net", digest=version.digest)
    assert _digests(device) == [V2.digest, V1.digest]


def test_only_what_is_installed_and_a_candidate_goes_live(device: Device, token: str) -> None:
    device.deploy(token, V1)
    with pytest.raises(RemoteFailed, match="no candidate"):
        device.call("activate", token=token, app="net", digest=V1.digest, candidate="fast")
    with pytest.raises(RemoteFailed, match="no release"):
        device.call("activate", token=token, app="net", digest=V2.digest, candidate="ort")
    with pytest.raises(RemoteFailed, match="no app"):
        device.call("activate", token=token, app="../net", digest=V1.digest, candidate="ort")


@pytest.mark.parametrize(
    ("unsafe", "words"),
    [
        (bundle(name="../evil"), "name"),
        (bundle(name=".hidden"), "name"),
        (bundle(files={"candidates/../../../evil/model.onnx": b""}), "component '..'"),
        (bundle(files={"/etc/model.onnx": b""}), "absolute"),
        (bundle(files={"candidates/ort/model.onnx": b"", "release.json": b""}), "agent's own"),
        (bundle(files={"candidates/ort/model.onnx": b"", "candidates/ort": b""}), "a file and a folder"),
        (bundle(files={"candidates/ort/model.onnx": b"", "candidates/.x/y": b""}), "begins with a dot"),
        (bundle(artifacts=()), "no artifact"),
        (bundle(candidates=()), "none"),
    ],
)
def test_an_unsafe_manifest_is_refused(device: Device, token: str, unsafe: Bundle, words: str) -> None:
    with pytest.raises(BundleRefused) as error:
        device.call("install", token=token, manifest=unsafe.manifest.to_dict())
    assert any(words in line for line in error.value.details)
    assert not (device.root / "apps").exists()


def test_a_manifest_of_another_schema(device: Device, token: str) -> None:
    with pytest.raises(BundleRefused, match="schema 2"):
        device.call("install", token=token, manifest=bundle(schema=2).manifest.to_dict())


def test_nothing_changes_without_the_lock(device: Device, token: str) -> None:
    device.upload(*V1.files.values())
    with pytest.raises(DeviceBusy):
        device.call("install", token="0" * 32, manifest=V1.manifest.to_dict())


def test_what_is_installed_is_read_only_and_readable_by_all(device: Device, token: str) -> None:
    device.deploy(token, V1)
    release = device.root / "apps/net/releases" / V1.digest
    assert (release / "candidates/ort/model.onnx").stat().st_mode & 0o777 == 0o444
    assert release.stat().st_mode & 0o777 == 0o755


def test_under_a_setgid_root_the_group_may_work_too(device: Device) -> None:
    device.root.mkdir()
    device.root.chmod(0o2775)
    device.deploy(device.lock(), V1)
    release = device.root / "apps/net/releases" / V1.digest
    assert release.stat().st_mode & 0o7777 == 0o2775
    assert (device.root / "apps/net/history.json").stat().st_mode & 0o777 == 0o664


def test_the_whole_life_on_the_oldest_python(device: Device, old_python: str) -> None:
    old = Device(device.root, device.archive, old_python)
    token = old.lock()
    for version in (V1, V2):
        old.deploy(token, version, job=job().to_dict())
    assert old.call("rollback", token=token, app="net")["live"] == V1.digest
    assert old.call("status")["apps"][0]["candidate"] == "ort"
    old.call("sweep", token=token)
    assert old.call("remove", token=token, everything=True)["removed"]
    assert not device.root.exists()


def _digests(device: Device) -> list[str]:
    return [r["digest"] for r in device.call("status")["apps"][0]["releases"]]


def _everything(device: Device) -> dict[str, tuple[int, int]]:
    apps = device.root / "apps"
    return {str(p): (p.lstat().st_ino, p.lstat().st_mtime_ns) for p in apps.rglob("*") if not p.is_dir()}
