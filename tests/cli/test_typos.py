"""A mistyped command or target is answered with the one that was probably meant."""

import click.testing
import pytest

from edgeq.cli.main import cli


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
