"""What a failure looks like: words on stderr, or with --json one document on stdout, whoever it was that failed."""

import json
import subprocess
import sys

import pytest

from edgeq.cli.main import run, show_error
from edgeq.errors import NoSpace

FULL = NoSpace(
    "pi has 212 MB free",
    "free space there",
    details=["248 MB of it runtime"],
    live="faces = 81aa03e, unchanged",
)


def test_an_error_says_what_where_what_now_and_what_is_live(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(FULL, as_json=False)
    assert capsys.readouterr().err.splitlines() == [
        "error: pi has 212 MB free",
        "  248 MB of it runtime",
        "  free space there",
        "  Live: faces = 81aa03e, unchanged",
    ]


def test_a_program_gets_the_same_facts(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(FULL, as_json=True)
    assert json.loads(capsys.readouterr().out)["error"] == FULL.to_dict()


@pytest.mark.parametrize("words", [["deploy", "--sekonds", "2"], ["bench", "--seconds", "soon"], ["deplore"]])
def test_a_wrong_command_line_is_an_error_like_any_other(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--json"]) == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert (shown.err, error["exit_code"], set(error)) == ("", 2, set(FULL.to_dict()))
    assert "--help" in error["remedy"]
    assert run(words) == 2
    assert "Usage: edgeq" in capsys.readouterr().err


def test_a_limit_on_memory_that_is_met_is_named() -> None:
    """Set by whoever starts the command, as in a container or by `ulimit -d`."""
    script = (
        "import resource, sys; from edgeq.cli import main; "
        "resource.setrlimit(resource.RLIMIT_DATA, (600_000_000, -1)); "
        "main.cli.main = lambda **_: bytearray(2 * 10**9); sys.exit(main.run(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.splitlines() == [
        "error: this process needs more memory than its limit, 600 MB (ulimit -d)",
        "  raise it, or use fewer or smaller samples",
    ]
