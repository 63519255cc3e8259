"""Whoever may write the shared root, as a service's user may, lays links there: none of them is followed."""

import os
from pathlib import Path

import pytest

from edgeq.agent.check_outputs import _write
from edgeq.errors import RemoteFailed
from tests.agent.files.device import Device, job


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of somebody else's with a file that must stay as it is."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "measurement.json").write_text("mine")
    return folder


@pytest.mark.parametrize(
    "name", ["agent", "wheels", "incoming", "samples", "apps", "jobs", "jobs/running", "results"]
)
def test_a_link_in_a_folders_place_is_refused_and_named(device: Device, precious: Path, name: str) -> None:
    (device.root / name).parent.mkdir(parents=True, exist_ok=True)
    device.root.chmod(0o2775)
    (device.root / name).symlink_to(precious)
    with pytest.raises(RemoteFailed, match=f"{name} is a link") as refused:
        device.call("lock", who="ann@host", what="a test")
    assert str(precious) in refused.value.details[0]
    assert os.listdir(precious) == ["measurement.json"]


@pytest.mark.parametrize("name", ["lock", "jobs/running/.draining"])
def test_a_guard_is_not_made_behind_a_link(device: Device, precious: Path, name: str) -> None:
    (device.root / "jobs/running").mkdir(parents=True)
    (device.root / name).symlink_to(precious / "new")
    with pytest.raises(RemoteFailed, match="too many links"):
        device.call("lock", who="ann@host", what="a test") if name == "lock" else device.call("drain")
    assert not (precious / "new").exists()


def test_results_behind_a_link_are_neither_listed_nor_written(
    device: Device, token: str, precious: Path
) -> None:
    (device.root / "results").mkdir()
    (device.root / "results/job-1").symlink_to(precious)
    assert device.call("results")["results"] == []

    device.call("work", token=token, job=job("job-1").to_dict())
    assert (device.root / "results/job-1").is_dir() and not (device.root / "results/job-1").is_symlink()
    assert (precious / "measurement.json").read_text() == "mine"


def test_outputs_are_not_written_through_a_link(tmp_path: Path, precious: Path) -> None:
    numpy = pytest.importorskip("numpy")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / ".0.npy.tmp").symlink_to(precious / "measurement.json")
    (folder / "0.npy").symlink_to(precious / "measurement.json")
    assert _write([[numpy.zeros(2)]], folder) == [str(folder / "0.npy")]
    assert (precious / "measurement.json").read_text() == "mine" and not (folder / "0.npy").is_symlink()
