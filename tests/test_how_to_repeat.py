"""A run that fails ends with commands that fail in the same way."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.how_to_repeat import command

ROOT = Path(__file__).parent.parent
FAILING = """
import os
import pytest

@pytest.mark.parametrize("word", ["plain", "it's two words"])
def test_fails(word):
    assert os.environ["EDGEQ_WORD"] == word

def test_passes():
    pass

@pytest.fixture
def broken():
    raise OSError("no such device")

def test_never_starts(broken):
    pass
"""


def run_pytest(folder: Path, words: list[str]) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": f"-p xdist.plugin -p tests.how_to_repeat -p no:cacheprovider --rootdir={folder}",
        "EDGEQ_WORD": "one word",
    }
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_each_failure_can_be_repeated_by_the_line_that_names_it(tmp_path: Path, workers: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(FAILING)
    done = run_pytest(tmp_path, [sys.executable, "-m", "pytest", "-n", workers])
    lines = [line for line in done.stdout.splitlines() if line.startswith("EDGEQ_")]
    assert len(lines) == 3, done.stdout
    assert all("EDGEQ_WORD='one word'" in line for line in lines)
    for line in lines:
        again = run_pytest(tmp_path, ["sh", "-c", line])
        assert re.search("1 (failed|error)", again.stdout), line


def test_a_run_that_passes_says_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_passes():\n    pass\n")
    assert "repeat" not in run_pytest(tmp_path, [sys.executable, "-m", "pytest"]).stdout


def test_the_variables_of_this_run_are_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("EDGEQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EDGEQ_LAB", "require")
    monkeypatch.setenv("EDGEQ_DATA", "/mnt/my data")
    words = shlex.split(command("tests/test_a.py::test_b[x-y]"))
    assert words[:2] == ["EDGEQ_DATA=/mnt/my data", "EDGEQ_LAB=require"]
    assert words[-3:] == ["-m", "pytest", "tests/test_a.py::test_b[x-y]"]
