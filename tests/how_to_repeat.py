"""After a failed run: for each test that failed, the command that runs it alone, with the variables that this run had."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Last of all that is printed but the closing line."""
    yield
    reports = [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]
    failed = dict.fromkeys(report.nodeid for report in reports)
    if failed:
        terminalreporter.section("how to repeat")
        for test in failed:
            terminalreporter.write_line(command(test))


def command(test: str) -> str:
    """`test` is a node id. Relative to the folder that pytest was started in, where its Python lies below that."""
    ours = sorted(item for item in os.environ.items() if item[0].startswith(("EDGEQ_", "NPY_")))
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    emulator = shlex.split(os.environ.get("EDGEQ_EMULATED_BY", ""))
    return " ".join(
        [
            *(f"{name}={shlex.quote(value)}" for name, value in ours),
            shlex.join([*emulator, str(python), "-m", "pytest", test]),
        ]
    )
