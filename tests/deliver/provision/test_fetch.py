"""Wheels come from the package index once, byte for byte the pinned ones, and from the cache ever after."""

import importlib.util
from pathlib import Path

import pytest

from edgeq.deliver.provision import resolve, to_fetch
from edgeq.deliver.wheel_locks import choose_lock
from edgeq.errors import ArtifactCorrupt, ExtraMissing
from edgeq.nouns.progress import Note, Progress
from tests.deliver.provision import devices_on_paper as devices

SMALL = ("tflite-runtime", devices.DEBIAN_12_ARMHF, devices.target())  # one wheel of 1.8 MB


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose pip finds nothing, whatever its configuration says."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_fetched_once_and_then_served_without_a_network(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    told: list[object] = []
    first = resolve(*SMALL, cache=tmp_path, tell=told.append)
    step = "download tflite-runtime 2.14.0 for Python 3.11 on armv7l: 2 MB"
    assert told == [Progress(step, 0, None, "")]
    request.getfixturevalue("no_index")
    assert resolve(*SMALL, cache=tmp_path, tell=told.append) == first
    assert len(told) == 1
    (wheel,) = first.wheels
    assert wheel.folder == f"tflite-runtime-2.14.0-{wheel.sha256[:8]}"
    assert first.from_device == ("numpy 1.24.2",)
    assert [p.name for p in tmp_path.iterdir()] == [wheel.file.name]


def test_what_is_to_fetch_is_known_before(tmp_path: Path) -> None:
    lock = choose_lock("onnxruntime", devices.DEBIAN_12_ARM64, devices.target())
    absent = to_fetch(lock, tmp_path)
    assert [p.name for p in absent] == ["onnxruntime", "numpy"]
    assert 20e6 < sum(p.size for p in absent) < 60e6


def test_one_flipped_byte_in_the_cache_is_refused(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    wheel = resolve(*SMALL, cache=tmp_path).wheels[0]
    good = wheel.file.read_bytes()
    damaged = bytearray(good)
    damaged[1000] ^= 1
    wheel.file.write_bytes(damaged)

    told: list[object] = []
    assert resolve(*SMALL, cache=tmp_path, tell=told.append).wheels[0].file.read_bytes() == good
    assert told[0] == Note(f"{wheel.file} was damaged: removed")

    wheel.file.write_bytes(damaged)
    request.getfixturevalue("no_index")
    with pytest.raises(ExtraMissing, match=r"cannot download tflite-runtime 2\.14\.0"):
        resolve(*SMALL, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_index_with_other_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = resolve(*SMALL, cache=tmp_path / "genuine").wheels[0]
    (tmp_path / "index").mkdir()
    pinned = choose_lock(*SMALL).pins[0]
    (tmp_path / "index" / pinned.file).write_bytes(genuine.file.read_bytes() + b"\0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    with pytest.raises(ArtifactCorrupt, match="hash is not the pinned one"):
        resolve(*SMALL, cache=tmp_path / "cache")


def test_unreachable_index_says_what_pip_said(
    tmp_path: Path, no_index: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nobody listens
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ExtraMissing, match="cannot download") as refusal:
        resolve(*SMALL, cache=tmp_path)
    assert "pip config list" in (refusal.value.remedy or "")
    assert any(
        "onnection refused" in line or "No matching distribution" in line for line in refusal.value.details
    )


def test_without_pip_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else found(name))
    with pytest.raises(ExtraMissing, match="pip is not installed") as refusal:
        resolve(*SMALL, cache=tmp_path)
    assert "ensurepip" in (refusal.value.remedy or "")
