"""`--repairs`, the same word in edgeq.toml and in Python: a wrong name is one error that lists the right ones."""

from pathlib import Path

import pytest

from edgeq.cli.main import run
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from edgeq.nouns.repairs import ALL
from edgeq.workflow.convert import convert

WRONG = f"there is no repair 'fits'; there are {', '.join(ALL)}"


@pytest.mark.parametrize("command", ["convert", "deploy", "explain"])
def test_on_the_command_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "net.onnx", "--repairs", "fits,head"]) == 2
    assert WRONG in " ".join(capsys.readouterr().err.split())


def test_in_edgeq_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edgeq.toml").write_text('model = "net.onnx"\nrepairs = "fits"\n')
    assert run(["convert"]) == TargetRefused.exit_code
    assert f"repairs: {WRONG}" in " ".join(capsys.readouterr().err.split())


def test_in_python() -> None:
    with pytest.raises(TargetRefused, match=WRONG):
        convert("net.onnx", repairs="fits")


def test_what_was_switched_off_is_said_and_another_selection_is_converted_anew(tmp_path: Path) -> None:
    model, data = (str(path) for path in demo_files())
    options = {"data": data, "recipe": "int8_static", "runtime": "onnxruntime"}
    first = convert(model, output=tmp_path / "a.edgeq", repairs="none", **options)
    again = convert(model, output=tmp_path / "a.edgeq", repairs="all,none", **options)
    other = convert(model, output=tmp_path / "a.edgeq", **options)
    assert (first.reused, again.reused, other.reused) == (False, True, False)
    told = {t.repair: t for f in first.fidelity for t in f.repairs}
    assert told["fit"].why == "switched off by --repairs"
    assert [f.remedies for f in first.fidelity] == [(), ()]
