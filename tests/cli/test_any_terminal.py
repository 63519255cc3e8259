"""What is printed survives every kind of output: a pipe, ASCII alone, no colours, no HOME. Nothing is cut, nothing raises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeq.demo import demo_files
from edgeq.encodable import encodable

SURROUNDINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"},
    "the C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS = [
    ["deploy", "--help"],
    ["targets", "show", "rpi4"],
    ["doctor"],
    ["status"],
    ["deploy", "nosuch-µ.onnx"],
]


def edgeq(folder: Path, *words: str, **set: str) -> "subprocess.CompletedProcess[str]":
    """In an environment that has no more than the folders that a test may write, and what is `set`."""
    own = {"XDG_CACHE_HOME": f"{folder}/cache", "XDG_STATE_HOME": f"{folder}/state", "PATH": os.defpath}
    return subprocess.run(
        [sys.executable, "-m", "edgeq", *words],
        env={**own, **set},
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_prints_in_every_surrounding(tmp_path: Path, words: list[str]) -> None:
    bare = edgeq(tmp_path, *words)
    assert "Traceback" not in bare.stderr
    for surrounding in SURROUNDINGS.values():
        done = edgeq(tmp_path, *words, **surrounding)
        said = done.stdout + done.stderr
        assert done.returncode == bare.returncode
        assert "Traceback" not in said and "\x1b" not in said and said.isascii()
        assert len(said.splitlines()) == len((bare.stdout + bare.stderr).splitlines())


def test_a_deployment_in_ascii_through_a_pipe(tmp_path: Path) -> None:
    model, data = (str(path) for path in demo_files())
    words = (
        "deploy",
        model,
        "--data",
        data,
        "--name",
        "digits",
        "--runtime",
        "onnxruntime",
        "--seconds",
        "1",
    )
    words += ("--root", str(tmp_path / "root"))
    first = edgeq(tmp_path, *words, PYTHONIOENCODING="ascii")
    assert "Traceback" not in first.stderr and (first.stdout + first.stderr).isascii()
    assert "> onnxruntime" in first.stdout and "+-" in first.stdout
    started = [line for line in first.stderr.splitlines() if line.startswith("working   ")]
    assert "working   onnxruntime-int8_static: calibrate" in started
    assert any(line.startswith("working   measure, at most ") for line in started)
    assert len(started) == len(set(started))

    again = edgeq(tmp_path, *words, PYTHONIOENCODING="ascii")
    assert [line.split()[0] for line in again.stdout.splitlines()] == ["live", "note"]
    in_full = edgeq(tmp_path, *words, "-v").stdout
    assert "convert   onnxruntime-int8_static" in in_full

    document = edgeq(tmp_path, *words, "--json", "--measure-again")
    assert json.loads(document.stdout)["race"]["rows"]
    assert "working   measure" in document.stderr


def test_characters_that_an_encoding_lacks_are_spelled() -> None:
    assert encodable("0.72x ±0.01, 3 µJ, 47 °C, 中", "ascii") == "0.72x +-0.01, 3 uJ, 47 C, \\u4e2d"
    assert encodable("±", "latin-1") == "±" and encodable("中", "utf-8") == "中"
    assert encodable("±", "no-such-encoding") == "+-"
    assert encodable("\ufffd", "ascii") == "?"
