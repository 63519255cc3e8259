"""The units as they would lie on a device: systemd's own checker finds nothing, and no name breaks out of its line."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.deliver.service.schedule import schedule
from edgeq.deliver.service.unit_files import TMPFILES, ServiceSpec, all_paths, files_of, folders_of, root_in
from edgeq.errors import DeviceUnfit, TargetRefused

SPEC = ServiceSpec(
    "system", "/var/lib/edgeq", "/usr/bin/python3", "pi", "pi", "/home/pi", schedule("1h"), firmware=True
)


@pytest.mark.parametrize("scope", ["system", "user"])
def test_systemd_finds_nothing_wrong_with_the_units(scope: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    spec = replace(SPEC, scope=scope, python=sys.executable)
    for path, text in files_of(spec).items():
        name = path.partition("/system/" if scope == "system" else "/user/")[2]
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
    units = [str(p) for p in tmp_path.iterdir() if p.is_file()]
    done = subprocess.run(
        ["systemd-analyze", f"--{scope}", "verify", "--man=no", *units], capture_output=True, text=True
    )
    said = [line for line in done.stderr.splitlines() if "edgeq" in line or str(tmp_path) in line]
    assert said == []


@pytest.mark.parametrize("scope", ["system", "user"])
def test_every_file_is_among_those_that_uninstall_looks_for(scope: str) -> None:
    spec = replace(SPEC, scope=scope, mark_linger=True)
    assert set(files_of(spec)) == set(all_paths(scope, "/home/pi"))
    assert not [
        text
        for text in files_of(spec).values()
        if "@" in text.replace("@system-service", "").replace("@privileged", "").replace("@resources", "")
    ]


def test_root_can_be_read_back_from_the_unit() -> None:
    files = files_of(replace(SPEC, root="/mnt/disk/edgeq"))
    assert root_in(files["/etc/systemd/system/edgeq-agent.service"]) == "/mnt/disk/edgeq"
    assert {f.path for f in folders_of(SPEC)} >= {"/var/lib/edgeq", "/var/lib/edgeq/jobs/running"}


def test_what_is_locked_belongs_to_login_and_service_and_nobody_else() -> None:
    """Also where the login made it for itself before there was a service."""
    lines = [line.split()[:5] for line in files_of(SPEC)[TMPFILES].splitlines()]
    assert ["z", "/var/lib/edgeq/lock", "0660", SPEC.login, "edgeq"] in lines
    assert ["z", "/var/lib/edgeq/jobs/running/.draining", "0660", SPEC.login, "edgeq"] in lines


def test_the_pi_alone_gets_its_firmware_device() -> None:
    assert any("DeviceAllow=/dev/vcio rw" in text for text in files_of(SPEC).values())
    assert not any("DeviceAllow=" in text for text in files_of(replace(SPEC, firmware=False)).values())


@pytest.mark.parametrize(
    "changes",
    [
        {"root": "/srv/my models"},
        {"root": "/srv/%h"},
        {"root": "/srv/../etc"},
        {"root": "relative"},
        {"root": "/srv/x'; reboot; '"},
        {"login": "pi edgeq\nu root"},
        {"python": "/opt/$(reboot)/python3"},
    ],
)
def test_word_that_would_break_a_unit_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(DeviceUnfit, match="cannot stand in a unit file"):
        files_of(replace(SPEC, **changes))


@pytest.mark.parametrize(
    ("every", "calendar", "spread_s"),
    [("15min", "*:0/15", 90), ("1h", "0/1:00", 360), ("6h", "0/6:00", 600), ("24h", "daily", 600), ("60min", "hourly", 360),
     ("1d", "daily", 600), ("7d", "weekly", 600)],
)  # fmt: skip
def test_schedule(every: str, calendar: str, spread_s: int) -> None:
    made = schedule(every)
    assert (made.calendar, made.spread_s) == (calendar, spread_s)
    if shutil.which("systemd-analyze"):
        subprocess.run(["systemd-analyze", "calendar", calendar], check=True, capture_output=True)


@pytest.mark.parametrize("every", ["", "7min", "0h", "5h", "2d", "hourly", "1h\nExecStart=/bin/sh", "-1h"])
def test_schedule_that_no_clock_repeats_is_refused(every: str) -> None:
    with pytest.raises(TargetRefused, match="cannot measure every"):
        schedule(every)
