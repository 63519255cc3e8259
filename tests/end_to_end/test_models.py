"""The real models, on this machine and over a real sshd: each gains, or is left in float with the reason said."""

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.command_line import deployed, edgeq
from tests.lab.device import LabDevice
from tests.models import zoo

pytestmark = [pytest.mark.data, pytest.mark.timeout(600)]


_QUICK = "mnist"  # the others take half a minute to two


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name != _QUICK)) for name in zoo.names()],
)
def entry(
    request: pytest.FixtureRequest, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> zoo.Entry:
    return zoo.prepare(request.param, data_dir, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def with_shared_cache(own_home: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))


def test_on_this_machine(entry: zoo.Entry, tmp_path: Path) -> None:
    document = deployed(tmp_path, *entry.words, "--threads", "1", "--seconds", "3", timeout=500)
    require_faithful(document, entry)
    require_never_slower(document)


@pytest.mark.lab
def test_over_ssh(entry: zoo.Entry, tmp_path: Path, x86_device: LabDevice) -> None:
    done = edgeq(tmp_path, "convert", *entry.words, "--target", "x86-64-vnni", "-o", "m.edgeq", timeout=500)
    assert done.returncode == 0, done.stderr
    where = ("--target", "x86-64-vnni", "--host", x86_device.host, "--identity", str(x86_device.key))
    document = deployed(tmp_path, "m.edgeq", *where, "--seconds", "2")
    require_never_slower(document)
    path = document["app"]["path"]
    assert "contract.json" in x86_device.run(f"ls {path}/").stdout.split()
    assert edgeq(tmp_path, "uninstall", entry.name, *where, "--yes").returncode == 0


@pytest.fixture(autouse=True)
def known_to_ssh(own_home: Path, request: pytest.FixtureRequest) -> None:
    if "x86_device" in request.fixturenames:
        device: LabDevice = request.getfixturevalue("x86_device")
        (own_home / ".ssh").mkdir(mode=0o700)
        (own_home / ".ssh" / "known_hosts").write_text(device.known_hosts.read_text())


def require_faithful(document: dict[str, Any], entry: zoo.Entry) -> None:
    recipes = {c["id"]: c["recipe"] for c in document["conversion"]["plan"]["candidates"]}
    quantized = [f for f in document["conversion"]["fidelity"] if recipes[f["candidate"]] != "float"]
    assert quantized, document["conversion"]["plan"]["skipped"]
    assert all(check["passed"] for check in document["checks"])
    for fidelity in quantized:
        assert fidelity["passed"], fidelity
        if entry.classifier:
            assert fidelity["accuracy"]["difference"] >= -0.5, fidelity["accuracy"]
    for fidelity in document["conversion"]["fidelity"]:
        assert all(layer["reason"] for layer in fidelity["float_layers"])


def require_never_slower(document: dict[str, Any]) -> None:
    """Where the race was valid, what went live is float, or faster than it at the unlucky end of the interval too."""
    choice, race = document["choice"], document["race"]
    if race["not_compared"] or choice["candidate"] == race["reference"]:
        assert choice["why"]
        return
    row = next(r for r in race["rows"] if r["id"] == choice["candidate"])
    assert row["ratio"]["high"] <= 1.03
