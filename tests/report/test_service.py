"""The agent as a service, as `edgeq agent status`, `logs` and a dry run print it."""

import io

from rich.console import Console

from edgeq.nouns.service import (
    LogLine,
    RemoveFile,
    RunCommand,
    SendFile,
    ServiceChange,
    ServiceLog,
    ServiceStatus,
    ServiceStep,
    UnitState,
    WriteFile,
)
from edgeq.report.formats.text import show_result


def printed(result: object) -> list[str]:
    out = io.StringIO()
    show_result(result, Console(file=out, width=40))
    return out.getvalue().splitlines()


def test_each_unit_has_a_line() -> None:
    path = UnitState("edgeq-agent.path", "active", "enabled")
    service = UnitState(
        "edgeq-agent.service",
        "inactive",
        "static",
        "2026-11-21T00:00:41Z",
        last_result="success",
        exposure=1.5,
    )
    status = ServiceStatus("pi@board", "user", "/r", "pi", (path, service), waiting=1, linger=False)
    assert printed(status) == [
        "service   user service on pi@board, root /r, as user pi, 1 job waiting",
        "  edgeq-agent.path        active, enabled",
        "  edgeq-agent.service     inactive   last 2026-11-21T00:00:41Z: success   "
        "systemd-analyze security 1.5 of 10 (lower is better)",
        "note      lingering is off: it runs only while pi is logged in",
    ]


def test_the_journal_is_printed_as_it_is() -> None:
    line = LogLine("2026-11-21T00:00:41.000Z", "edgeq-agent.service", 0, 6, "job a: [ok]")
    assert printed(ServiceLog("pi@board", (line,))) == ["2026-11-21T00:00:41.000Z edgeq-agent: job a: [ok]"]
    assert printed(ServiceLog("pi@board", ())) == ["the journal of pi@board has nothing of edgeq"]


def test_a_dry_run_prints_every_step() -> None:
    steps: tuple[ServiceStep, ...] = (
        WriteFile("/etc/a", "one\ntwo\n", None, ("sudo", "-n")),
        WriteFile("/etc/b", "", "old", ()),
        RemoveFile("/etc/c", "old", ()),
        RunCommand("the units are read", ("sh", "-c", "it's done")),
        RunCommand("only the way back", undo=("true",)),
        SendFile("/here", "/r/agent", "0" * 64),
    )
    where = "service   system service on pi@board, root /r: "
    assert printed(ServiceChange("install", "pi@board", "system", "/r", True, steps)) == [
        *("write /etc/a", "    one", "    two", "rewrite /etc/b", "remove /etc/c"),
        *("run sh -c 'it'\\''s done'", "    # the units are read", "send /r/agent"),
        f"{where}dry run: nothing was changed",
    ]
    done = ServiceChange("uninstall", "pi@board", "system", "/r", False, steps, ("net stays live",))
    assert printed(done) == [f"{where}removed", "note      net stays live"]
