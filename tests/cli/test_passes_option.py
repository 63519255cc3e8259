"""`--passes`, the same word in edgeq.toml and in Python: a wrong name is one error that lists the right ones. `--repairs`, its
old name, is taken for one more version, with a note.
"""

from pathlib import Path

import pytest

from edgeq.cli.main import run
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from edgeq.nouns.passes import ALL
from edgeq.nouns.progress import Note
from edgeq.request.requests import ConvertRequest
from edgeq.request.resolved import resolved
from edgeq.workflow.convert import convert

WRONG = f"there is no pass 'fits'; there are {', '.join(ALL)}"
NAMES = ["passes", "repairs"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["convert", "deploy", "explain"])
def test_on_the_command_line(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "net.onnx", f"--{name}", "fits,head"]) == 2
    assert WRONG in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", NAMES)
def test_in_edgeq_toml(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edgeq.toml").write_text(f'model = "net.onnx"\n{name} = "fits"\n')
    assert run(["convert"]) == TargetRefused.exit_code
    assert f"{name}: {WRONG}" in " ".join(capsys.readouterr().err.split())


def test_in_python() -> None:
    with pytest.raises(TargetRefused, match=WRONG):
        convert("net.onnx", passes="fits")


def test_the_old_name_sets_the_new_one_with_one_note() -> None:
    told: list[object] = []
    once = resolved(ConvertRequest("net.onnx", data="x.npz", repairs="fit", tell=told.append))
    assert (once.passes, once.repairs) == ("fit", None)
    resolved(once)
    assert told == [Note("--repairs is now --passes; the old name goes with the next version")]


def test_both_names_have_to_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resolved(ConvertRequest("net.onnx", passes="fit", repairs="fit")).passes == "fit"
    monkeypatch.chdir(tmp_path)
    assert run(["convert", "net.onnx", "--passes", "fit", "--repairs", "none"]) == TargetRefused.exit_code
    said = " ".join(capsys.readouterr().err.split())
    assert "--passes fit and --repairs none contradict each other" in said
    Path("edgeq.toml").write_text('model = "net.onnx"\npasses = "fit"\nrepairs = "none"\n')
    assert run(["convert"]) == TargetRefused.exit_code
    assert "repairs: the old name of passes, which contradicts it" in " ".join(
        capsys.readouterr().err.split()
    )


def test_the_old_key_of_a_project_gives_way_to_the_option(tmp_path: Path) -> None:
    told: list[object] = []
    project = tmp_path / "edgeq.toml"
    project.write_text('repairs = "none"\n')
    from_file = resolved(ConvertRequest("net.onnx", data="x.npz", project=project, tell=told.append))
    assert from_file.passes == "none"
    assert told[0] == Note(f"{project}: repairs is now passes; the old name goes with the next version")
    assert resolved(ConvertRequest("net.onnx", data="x.npz", project=project, passes="fit")).passes == "fit"


def test_what_was_switched_off_is_said_and_another_selection_is_converted_anew(tmp_path: Path) -> None:
    model, data = (str(path) for path in demo_files())
    options = {"data": data, "recipe": "int8_static", "runtime": "onnxruntime"}
    every_one_off = ",".join(f"-{name}" for name in ALL)
    first = convert(model, output=tmp_path / "a.edgeq", passes="none", **options)
    again = convert(model, output=tmp_path / "a.edgeq", passes=every_one_off, **options)
    other = convert(model, output=tmp_path / "a.edgeq", **options)
    assert (first.reused, again.reused, other.reused) == (False, True, False)
    told = {t.repair: t for f in first.fidelity for t in f.repairs}
    assert told["fit"].why == "switched off by --passes"
    assert [f.remedies for f in first.fidelity] == [(), ()]
