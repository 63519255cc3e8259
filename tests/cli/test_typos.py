"""A mistyped command or target is answered with the one that was probably meant."""

from pathlib import Path

import click.testing
import pytest

from edgeq.cli.main import cli
from edgeq.errors import TargetRefused


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["depoly"], "there is no command 'depoly'; did you mean `edgeq deploy`"),
        (["net.onnx", "--target", "rpi4"], "did you mean `edgeq deploy net.onnx`?"),
        (["net.py:build"], "did you mean `edgeq deploy net.py:build`?"),
        (["xyzzy"], "there is no command 'xyzzy'; `edgeq --help` lists them."),
        (["--verson"], "--version"),
    ],
)
def test_commands(words: list[str], answer: str) -> None:
    done = click.testing.CliRunner().invoke(cli, words)
    assert (done.exit_code, answer in done.output) == (2, True), done.output


def test_targets() -> None:
    done = click.testing.CliRunner().invoke(cli, ["targets", "show", "rpi44"])
    assert str(getattr(done.exception, "what", "")) == "there is no target 'rpi44'; did you mean rpi4?"


def test_targets_are_listed_by_the_word_that_one_types_first() -> None:
    listed = click.testing.CliRunner().invoke(cli, ["targets", "list"])
    assert listed.output == click.testing.CliRunner().invoke(cli, ["targets"]).output
    assert "rpi4 " in listed.output


def test_a_command_without_a_model_names_those_that_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = click.testing.CliRunner().invoke(cli, ["deploy"]).exception
    assert isinstance(nothing, TargetRefused) and nothing.what == "which model? There is none in this folder"
    (tmp_path / "net.onnx").touch()
    one = click.testing.CliRunner().invoke(cli, ["convert"]).exception
    assert isinstance(one, TargetRefused)
    assert one.remedy == "name it: net.onnx; or write edgeq.toml: `edgeq init net.onnx`"
    (tmp_path / "other.onnx").touch()
    two = click.testing.CliRunner().invoke(cli, ["convert"]).exception
    assert isinstance(two, TargetRefused)
    assert two.remedy == "name one: net.onnx; or write edgeq.toml: `edgeq init net.onnx`"


def test_a_runtime_that_the_target_does_not_have_is_refused_before_the_model_is_opened() -> None:
    words = ["convert", "gone.onnx", "--target", "x86-64", "--runtime", "tflite-runtime"]
    refused = click.testing.CliRunner().invoke(cli, words).exception
    assert isinstance(refused, TargetRefused)
    assert refused.what == "target x86-64 has no runtime 'tflite-runtime'"
    assert refused.remedy == "it has: litert, onnxruntime; leave out --runtime"


def test_a_target_in_place_of_a_command_is_answered_with_the_one_that_prints_it() -> None:
    done = click.testing.CliRunner().invoke(cli, ["targets", "android-arm64"])
    assert done.exit_code == 2
    assert (
        "there is no command 'android-arm64'; did you mean `edgeq targets show android-arm64`?" in done.output
    )
    assert "No such command 'lsit'" in click.testing.CliRunner().invoke(cli, ["targets", "lsit"]).output
