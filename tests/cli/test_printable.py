"""Untrusted text on a terminal: it is shown, its control characters are not obeyed."""

import json
import re
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from rich.text import Text

from edgeq.cli.main import run, show_error
from edgeq.cli.printable import printable
from edgeq.cli.screen import page
from edgeq.errors import EdgeqError, RemoteFailed
from edgeq.nouns.progress import Note
from edgeq.report.formats.text import show

HOSTILE = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4K\x07",
    "cursor": "\x1b[2J\x1b[1;1Hall is well",
    "one-byte CSI": "\x9b2J",
    "back over the line": "wrong\r right\x08\x08",
    "right to left": "gnp.\u202etxt.exe",
    "isolates": "\u2066a\u2069",
    "half a pair": "a\udcffb",
    "NUL and DEL": "a\x00b\x7f",
}
ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_orders_become_the_replacement_character(text: str) -> None:
    assert not ORDERS.search(printable(text))
    assert printable(text).replace("\ufffd", "") == ORDERS.sub("", text)


def test_words_of_every_language_stay_as_they_are() -> None:
    for words in ("Küche №2 デバイス 🍓👨‍👩‍👧", "می‌خواهم", "a\tb\nc", "עברית ו-English"):
        assert printable(words) == words


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_is_told_steers_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = page()
    show(Note(f"a note of {text}"), console)
    console.print(Text(text), text, f"[{text}]", markup=False)
    assert not ORDERS.search(capsys.readouterr().out)


def test_colours_of_edgeqs_own_pass(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    console = page()
    console.print(Text("fine", style="bold") + Text("\x1b[31m", style="bold"))
    out = capsys.readouterr().out
    assert out.replace("\x1b[0m\x1b[1m", "") == "\x1b[1mfine\ufffd[31m\x1b[0m\n"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_neither_does_an_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_error(RemoteFailed(text, text, details=[text], live=text), as_json=False)
    assert not ORDERS.search(capsys.readouterr().err)


def test_a_line_of_a_device_is_no_line_of_edgeqs(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(
        RemoteFailed("it broke\nerror: all is lost", details=["x\n  Live: net = 0000000"]), as_json=False
    )
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("error:")] == ["error: it broke"]
    assert not any(line.startswith("  Live:") for line in lines)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_stays_json_and_loses_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_error(EdgeqError(text), as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out)["error"]["what"] == text
    assert out.isascii() and not ORDERS.search(out)


def test_a_node_of_a_model_file_cannot_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x\x1b[2J", "y"))
    node = helper.make_node("NoSuchOperator", [x.name], ["y"], name="\x1b]52;c;cm0K\x07")
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]), ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    assert run(["convert", "net.onnx", "--target", "rpi4"]) != 0
    shown = capsys.readouterr()
    assert "NoSuchOperator" in shown.err and not ORDERS.search(shown.err + shown.out)


@pytest.mark.parametrize(("no_color", "escapes"), [("", True), ("1", False)])
def test_no_color_leaves_out_bold_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_color: str, escapes: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    page().print("a warning", style="bold")
    said = capsys.readouterr().out
    assert "a warning" in said and ("\x1b" in said) == escapes
