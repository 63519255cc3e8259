"""`edgeq --help` is instant: it imports nothing heavy and no command. Asked of a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgeq.cli

HEAVY = {
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "paramiko",
    "rich",
    "PIL",
    "sqlite3",
    "asyncio",
    "ai_edge_litert",
}

_REPORT = """
import sys
from edgeq.cli.main import run
code = run(sys.argv[1:])
print("modules:", " ".join(sorted({m.partition(".")[0] for m in sys.modules})))
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words", [["--help"], [], ["--version"], ["deploy", "--help"], ["targets", "--help"]]
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", _REPORT, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.partition("modules: ")[2].split())


def test_the_list_of_commands_imports_none_of_them_and_names_all() -> None:
    script = _REPORT.replace('m.partition(".")[0] for m', "m for m")
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True)
    shown, _, modules = done.stdout.partition("modules: ")
    files = (Path(edgeq.cli.__file__).parent / "commands").glob("[a-z]*.py")
    assert not [name for name in modules.split() if name.startswith(("edgeq.cli.commands.", "edgeq.nouns"))]
    assert set(re.findall("^  ([a-z]+)  ", shown, re.M)) == {file.stem for file in files}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgeq", "completion", shell], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "_EDGEQ_COMPLETE" in done.stdout


def test_a_wrong_command_line_is_exit_code_2() -> None:
    for words in (["nonsense"], ["deploy", "--nonsense"], ["rollback"]):
        done = subprocess.run([sys.executable, "-m", "edgeq", *words], capture_output=True, text=True)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr
