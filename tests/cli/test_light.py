"""`edgeq --help` is instant: it imports nothing heavy. Asked of a process of its own."""

import subprocess
import sys

import pytest

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
