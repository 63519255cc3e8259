"""A service that works in another root than the one that is asked about is neither used nor removed."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeq.agent.service import UNIT, service_state
from edgeq.deliver.service.find import scope_there
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.unit_files import files_of
from edgeq.errors import DeviceUnfit, TargetRefused
from edgeq.nouns.delivery import Removal
from edgeq.nouns.progress import Note
from edgeq.nouns.release import ServiceState
from edgeq.nouns.service import ServiceChange
from edgeq.report.formats.in_python import as_text
from edgeq.workflow.service import install_service, service_status
from edgeq.workflow.uninstall import planned_and_done, uninstall
from tests.deliver.service.test_plan import BARE
from tests.deliver.service.test_unit_files import SPEC


def unit_in(folder: Path, root: str) -> Path:
    """The unit that waits for jobs, as an installation writes it."""
    folder.mkdir(parents=True)
    texts = files_of(replace(SPEC, root=root))
    (folder / UNIT).write_text(texts[f"/etc/systemd/system/{UNIT}"])
    return folder


def test_the_state_names_the_root_that_the_unit_watches(tmp_path: Path) -> None:
    system = (unit_in(tmp_path / "system", "/var/lib/edgeq"),)
    user = unit_in(tmp_path / "user", "/home/pi/models")

    def state(root: str) -> "ServiceState | None":
        return service_state(root, system, user, lambda scope: "active")

    assert state("/home/pi/models") == ServiceState("user", "active", "/home/pi/models")
    elsewhere = state("/home/pi/other")
    assert elsewhere == ServiceState("system", "active", "/var/lib/edgeq")
    assert not elsewhere.works_in("/home/pi/other") and elsewhere.works_in("/var/lib/edgeq")
    assert not replace(elsewhere, active="failed").works_in("/var/lib/edgeq")
    assert service_state("/x", (tmp_path / "none",), tmp_path / "none") is None


def test_everything_leaves_without_the_service_of_another_root(tmp_path: Path, own_home: Path) -> None:
    """As docs/service.md advises once the models were copied to the service's root."""
    unit_in(own_home / ".config/systemd/user", "/var/lib/edgeq")
    root = tmp_path / "edgeq"
    (root / "agent").mkdir(parents=True)
    said: list[object] = []

    removal = uninstall(everything=True, root=str(root), tell=said.append)
    assert not removal.dry_run and not root.exists()
    stays = (
        "the user service works in /var/lib/edgeq and stays; `edgeq agent uninstall --scope user` removes it"
    )
    assert Note(stays) in said
    assert (own_home / ".config/systemd/user" / UNIT).exists()


def test_a_dry_run_says_that_the_service_would_go_too(tmp_path: Path, own_home: Path) -> None:
    root = tmp_path / "edgeq"
    (root / "agent").mkdir(parents=True)
    unit_in(own_home / ".config/systemd/user", str(root))
    said: list[object] = []

    removal = uninstall(everything=True, root=str(root), dry_run=True, tell=said.append)
    assert removal.dry_run and root.exists()
    assert Note("the user service would go too: its units") in said


def test_the_root_that_a_service_was_filled_from_stays(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No --root was given: once the service's root is gone, the login's own would be the one that edgeq looks in."""
    root, own = tmp_path / "edgeq", own_home / ".local/share/edgeq"
    for folder in (root, own):
        (folder / "agent").mkdir(parents=True)
    (own / "apps/digits").mkdir(parents=True)
    unit_in(own_home / ".config/systemd/user", str(root))
    said: list[object] = []

    def removed(*words: object, **options: object) -> ServiceChange:
        shutil.rmtree(root)
        return ServiceChange("uninstall", "board", "user", str(root), False, ())

    for name, stand_in in (
        ("requested_root", lambda asked: None),
        ("require_systemd", lambda device: None),
        ("remove", removed),
    ):
        monkeypatch.setattr(f"edgeq.workflow.uninstall.{name}", stand_in)

    uninstall(everything=True, root=str(root), tell=said.append)
    assert (own / "agent").is_dir() and (own / "apps/digits").is_dir() and not root.exists()
    stays = f"digits in {own} stays; `edgeq uninstall --everything --root {own}` removes that root"
    assert Note(stays) in said


def test_what_went_with_the_service_is_counted() -> None:
    """Its removal takes the models along; what is left for the login is little."""
    before = Removal(("apps/digits", "wheels/a", "agent"), 194_000_000, dry_run=True)
    after = Removal(("jobs", "agent"), 344_000, dry_run=False)
    assert planned_and_done(before, after) == Removal(
        ("apps/digits", "wheels/a", "agent", "jobs"), 194_000_000, dry_run=False
    )
    assert planned_and_done(None, after) == after


@pytest.mark.parametrize(
    ("there", "root", "scope"),
    [
        ({}, None, "system"),
        ({"system": "/var/lib/edgeq"}, None, "system"),
        ({"user": "/home/pi/models"}, None, "user"),
        ({"user": "/home/pi/models"}, "/other", "user"),
        ({"system": "/var/lib/edgeq", "user": "/home/pi/models"}, "/home/pi/models", "user"),
    ],
)
def test_the_service_that_is_there_is_meant(
    monkeypatch: pytest.MonkeyPatch, there: dict[str, str], root: "str | None", scope: str
) -> None:
    assert _scope_on(monkeypatch, there, root) == scope


def test_of_two_services_one_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"system": "/var/lib/edgeq", "user": "/home/pi/models"}
    with pytest.raises(TargetRefused, match="a system service and one of pi's own") as refused:
        _scope_on(monkeypatch, both, None)
    assert "--scope" in (refused.value.remedy or "")


def _scope_on(monkeypatch: pytest.MonkeyPatch, there: dict[str, str], root: "str | None") -> str:
    def look(transport: object, scope: str, asked: str) -> Found:
        spec = replace(SPEC, scope=scope, root=there.get(scope, ""))
        return replace(BARE, scope=scope, root=asked, files=files_of(spec) if scope in there else {})

    monkeypatch.setattr("edgeq.deliver.service.find.look", look)
    device = SimpleNamespace(label="pi@board", link=SimpleNamespace(transport=None))
    return scope_there(device, root)


@pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="systemd runs on this machine")
def test_where_no_systemd_runs_the_files_can_be_read_all_the_same(tmp_path: Path) -> None:
    shown = install_service(root=str(tmp_path / "edgeq"), dry_run=True)
    text = as_text(shown)
    assert "/etc/systemd/system/edgeq-agent.path" in text
    assert "run systemctl enable --now edgeq-agent.path edgeq-measure.timer" in text
    assert shown.notes[-1].endswith("without --dry-run this is refused")

    for command in (install_service, service_status):
        with pytest.raises(DeviceUnfit, match="no systemd running") as refused:
            command(root=str(tmp_path / "edgeq"))
        assert "`edgeq bench` work over the login" in str(refused.value.remedy)
    assert not (tmp_path / "edgeq").exists()
