"""What is decided for a device, from what was seen there: no device is needed to read a plan."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgeq.deliver.agent_archive import AgentArchive
from edgeq.deliver.service.install import nothing_to_measure
from edgeq.deliver.service.look import Found, UnitFound
from edgeq.deliver.service.plan import install_steps, uninstall_steps
from edgeq.deliver.service.unit_files import STARTED, UNITS, files_of, folders_of
from edgeq.errors import DeviceUnfit, NoSpace
from edgeq.nouns.service import RunCommand, ServiceChange, ServiceStep
from edgeq.report.formats.text import show
from tests.deliver.service.test_unit_files import SPEC as PI

SPEC = replace(PI, firmware=False)
AGENT = AgentArchive(Path("agent.pyz"), "0" * 64, "0123456789abcdef.pyz")
BARE = Found(
    scope="system", login="pi", uid=1000, group="pi", home="/home/pi", sudo="yes", user_manager=True, linger=False, firmware=False,
    service_user=False, members=(), groups=("pi",), root="/var/lib/edgeq", owner="", current="", names=(), apps=(), waiting=0,
    own="/home/pi/.local/share/edgeq", own_apps=(), own_bytes=0, free_bytes=10**9,
    units={unit: UnitFound("not-found", "inactive", "", False) for unit in UNITS}, files={}, folders={},
)  # fmt: skip
DONE = replace(
    BARE, service_user=True, members=("pi",), owner="pi", current=AGENT.name, names=("agent", "jobs"), files=files_of(SPEC),
    units={unit: UnitFound("loaded", "active", "enabled" if unit in STARTED else "static", False) for unit in UNITS},
    folders={f.path: str(f) for f in folders_of(SPEC)},
)  # fmt: skip


def plan(found: Found, **changes: str) -> list[str]:
    steps = install_steps(found, replace(SPEC, **changes), AGENT, "pi@board")
    return printed(rehearsal(steps), in_full=True)[:-1]


def rehearsal(steps: tuple[ServiceStep, ...], *notes: str) -> ServiceChange:
    return ServiceChange("install", "pi@board", "system", "/var/lib/edgeq", True, steps, notes)


def printed(change: ServiceChange, *, in_full: bool = False) -> list[str]:
    out = io.StringIO()
    show(change, Console(file=out), in_full=in_full)
    return out.getvalue().splitlines()


def commands(steps: tuple[ServiceStep, ...]) -> list[str]:
    return [" ".join(step.words) for step in steps if isinstance(step, RunCommand)]


def test_what_is_there_as_wished_makes_no_step() -> None:
    assert plan(DONE) == []


def test_user_comes_before_folders_before_agent_before_units() -> None:
    runs = [line for line in plan(BARE) if not line.startswith("    ")]
    order = [
        "systemd-sysusers",
        "systemd-tmpfiles",
        "send /var/lib/edgeq/agent/",
        "daemon-reload",
        "start",
        "enable --now",
    ]
    places = [next(i for i, line in enumerate(runs) if words in line) for words in order]
    assert places == sorted(places)


def test_a_dry_run_within_a_deployment_counts_files_and_commands() -> None:
    steps = install_steps(BARE, SPEC, AGENT, "pi@board")
    rehearsed = rehearsal(steps, "read this")
    written = sum("write /" in line for line in plan(BARE))
    run = sum(line.startswith("run ") for line in plan(BARE))
    assert printed(rehearsed) == [
        "service   would install the system service on pi@board, root /var/lib/edgeq: "
        f"{written} files, {run} commands (-v prints them)",
        "note      read this",
    ]
    assert len(printed(rehearsed, in_full=True)) > 100
    done = replace(rehearsed, dry_run=False)
    assert printed(done) == printed(done, in_full=True)


@pytest.mark.parametrize(("live", "said"), [([], False), (["digits"], True)])
def test_a_service_in_another_root_than_the_models_has_nothing_to_measure(
    live: list[str], said: bool
) -> None:
    notes = list(nothing_to_measure(live, "/var/lib/edgeq", SPEC))
    assert bool(notes) == said
    if said:
        assert "nothing to measure yet: digits is in /var/lib/edgeq" in notes[0]


def test_each_privileged_step_says_so_and_none_other_does() -> None:
    steps = install_steps(BARE, SPEC, AGENT, "pi@board")
    assert all(c.startswith("sudo -n ") or "agent" in c for c in commands(steps) if c)
    as_root = replace(BARE, login="root", sudo="root")
    assert not any(
        "sudo" in c for c in commands(install_steps(as_root, replace(SPEC, login="root"), AGENT, "board"))
    )


@pytest.mark.parametrize("sudo", ["missing", "password"])
def test_without_rights_only_an_empty_plan_is_possible(sudo: str) -> None:
    assert plan(replace(DONE, sudo=sudo)) == []
    with pytest.raises(DeviceUnfit, match="needs root"):
        plan(replace(BARE, sudo=sudo))


def test_user_scope_needs_no_rights() -> None:
    spec = replace(SPEC, scope="user", root="/home/pi/.local/share/edgeq")
    steps = install_steps(replace(BARE, scope="user", sudo="missing"), spec, AGENT, "pi@board")
    assert not any(c.startswith("sudo") for c in commands(steps))


def test_folder_with_other_files_is_not_taken_over() -> None:
    with pytest.raises(DeviceUnfit, match="holds what is not edgeq's: photos"):
        plan(replace(BARE, owner="pi", names=("agent", "photos")))


@pytest.mark.parametrize("changes", [{"root": "/home/pi/edgeq"}, {"python": "/home/pi/venv/bin/python"}])
def test_system_service_sees_no_home(changes: dict[str, str]) -> None:
    with pytest.raises(DeviceUnfit, match="inside a home"):
        plan(BARE, **changes)


def test_jobs_that_wait_are_not_done_as_a_trial() -> None:
    changed = replace(DONE, files={})
    assert any("start edgeq-agent.service" in line for line in plan(changed))
    assert not any("start edgeq-agent.service" in line for line in plan(replace(changed, waiting=1)))


def test_own_root_is_copied_once_and_only_when_there_is_room() -> None:
    used = replace(BARE, own_apps=("relu",), own_bytes=2 * 10**9)
    with pytest.raises(NoSpace, match="1000 MB free"):
        plan(used)
    assert any("relu: copied from" in line for line in plan(replace(used, own_bytes=10**6)))
    again = replace(DONE, own_apps=("relu",), own_bytes=10**6)
    assert plan(again) == []  # what was removed since does not come back


def test_unit_that_somebody_switched_off_is_switched_on_again() -> None:
    units = {**DONE.units, "edgeq-measure.timer": UnitFound("loaded", "inactive", "disabled", False)}
    assert plan(replace(DONE, units=units))[0] == "run sudo -n systemctl enable --now edgeq-measure.timer"


def test_uninstall_on_a_bare_device_does_nothing() -> None:
    assert uninstall_steps(BARE, everything=False, label="pi@board") == ()
    assert uninstall_steps(replace(BARE, scope="user"), everything=False, label="pi@board") == ()


def test_uninstall_keeps_the_root_in_which_a_model_lives() -> None:
    keeps = commands(uninstall_steps(replace(DONE, apps=("relu",)), everything=False, label="pi@board"))
    assert "sudo -n chown -hR pi:pi /var/lib/edgeq" in keeps
    assert not any("rm -rf" in c for c in keeps)
    for gone in (replace(DONE, apps=("relu",)), DONE):
        everything = commands(uninstall_steps(gone, everything=True, label="pi@board"))
        assert any("remove; else rmdir" in c and c.endswith(" /var/lib/edgeq") for c in everything)
        assert not any("rm -rf" in c for c in everything), "what of the folder is edgeq's, its agent knows"
