"""Python's keywords are the command line's options, by the same names; whatever else is given is refused."""

import inspect
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import edgeq
from edgeq.cli.main import cli
from edgeq.errors import TargetRefused
from edgeq.request.requests import ConvertRequest
from edgeq.request.resolved import resolved

_OTHER_NAMES = {"agent install": "install_service", "agent status": "service_status"} | {
    "agent logs": "service_log",
    "agent uninstall": "uninstall_service",
}
# They write or print files that Python has no function for.
_NO_FUNCTION = {"completion", "demo", "init", "targets"}
# How a command prints and asks is no matter of a function.
_OF_THE_TERMINAL = {"as_json", "verbose", "yes"}


def _commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if before + name in _NO_FUNCTION:
            continue
        if isinstance(command, click.Group):
            found |= _commands(command, f"{name} ")
        else:
            found[before + name] = command
    return found


_COMMANDS = _commands(cli)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_option_is_a_keyword_of_the_same_name(name: str) -> None:
    function = getattr(edgeq, _OTHER_NAMES.get(name, name))
    signature = inspect.signature(function)
    options = {param.name: param for param in _COMMANDS[name].params if param.name not in _OF_THE_TERMINAL}
    assert set(options) <= set(signature.parameters)
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    for keyword, param in options.items():
        spelt = [flag for flag in param.opts if flag.startswith("--")]
        assert spelt in ([], [f"--{keyword.replace('_', '-')}"])
        kind = signature.parameters[keyword].kind
        assert (kind is inspect.Parameter.KEYWORD_ONLY) == isinstance(param, click.Option)


@pytest.mark.parametrize("name", _COMMANDS)
def test_help_explains_every_keyword(name: str) -> None:
    function = getattr(edgeq, _OTHER_NAMES.get(name, name))
    explained = inspect.getdoc(function) or ""
    hidden = {param.name for param in _COMMANDS[name].params if getattr(param, "hidden", False)}
    for keyword in set(inspect.signature(function).parameters) - hidden:
        assert f"\n    {keyword}: " in explained


@pytest.mark.parametrize("name", ["convert", "deploy", "explain", "verify", "bench", "status", "report"])
def test_a_keyword_that_is_none_is_refused_before_anything_happens(name: str) -> None:
    with pytest.raises(
        TypeError, match=rf"{name}\(\) has no keyword 'trget'; did you mean target\?|no keyword 'trget'"
    ):
        getattr(edgeq, name)(trget="rpi4")


def test_a_misspelt_limit_does_not_pass_without_a_gate() -> None:
    with pytest.raises(TypeError, match="did you mean max_drop?"):
        edgeq.convert("net.onnx", max_dropp=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_drop": "1"}, "max_drop takes a number, not '1' of type str"),
        ({"calibrate": 2.5}, "calibrate takes a whole number, not 2.5"),
        ({"calibrate": True}, "calibrate takes a whole number, not True"),
        ({"integer_io": 1}, "integer_io takes True or False, not 1"),
        ({"refuse": None}, "refuse takes True or False, not None"),
        ({"weights": 5}, "weights takes text or a path, not 5"),
        ({"preprocess": 5}, "preprocess takes text or a dict, not 5"),
        ({"gates": {"max_drop": 1}}, r"gates takes Gates, not \{'max_drop': 1\} of type dict"),
        ({"tell": "print"}, "tell takes a function, not 'print'"),
        ({"target": None}, "target takes text or a path or Target, not None"),
        (
            {"max_drop": 1, "gates": edgeq.Gates(max_drop=2)},
            r"max_drop=1.0 contradicts gates=Gates\(max_drop=2",
        ),
    ],
)
def test_a_value_of_another_type_is_a_type_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        edgeq.convert("net.onnx", **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"calibrate": 0}, "calibrate: 0 is not at least 1"),
        ({"max_drop": float("nan")}, "max_drop: nan"),
        ({"calibrator": "best"}, "calibrator: there is no 'best'"),
        ({"passes": "fits"}, "there is no pass 'fits'"),
    ],
)
def test_a_value_out_of_its_range_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(TargetRefused, match=said):
        edgeq.convert("net.onnx", **given)


def test_a_login_beside_its_parts() -> None:
    with pytest.raises(TypeError, match="host='pi5' contradicts login="):
        edgeq.status(host="pi5", login=edgeq.Login(host="pi4"))


def test_uninstall_takes_a_name_or_everything() -> None:
    for given in ({}, {"name": "digits", "everything": True}):
        with pytest.raises(TypeError, match="needs the name of a model, or everything=True"):
            edgeq.uninstall(**given)


def test_parts_and_whole_say_the_same() -> None:
    by_parts = resolved(ConvertRequest("net.onnx", max_drop=2, min_sqnr=20))
    by_whole = resolved(ConvertRequest("net.onnx", gates=edgeq.Gates(max_drop=2, min_sqnr_db=20)))
    assert by_parts.gates == by_whole.gates
    assert (by_whole.max_drop, by_whole.min_sqnr) == (2, 20)
    assert resolved(by_parts).gates == by_parts.gates


def test_numbers_of_numpy_are_numbers() -> None:
    asked = resolved(
        ConvertRequest(
            "net.onnx", calibrate=np.int64(5), max_drop=np.float32(0.5), shape={"x": (np.int64(1), 4)}
        )  # type: ignore[arg-type]
    )
    assert repr((asked.calibrate, asked.max_drop, asked.shape)) == "(5, 0.5, {'x': (1, 4)})"
    assert repr(resolved(ConvertRequest("net.onnx", max_drop=1)).gates.max_drop) == "1.0"  # type: ignore[union-attr]


def test_a_project_file_fills_what_is_not_given(tmp_path: Path) -> None:
    file = tmp_path / "edgeq.toml"
    file.write_text(
        'model = "net.onnx"\ndata = "x.npz"\ncalibrate = 5\n[shapes]\nx = [1, 4]\n[gates]\nmax_drop = 2.0\nmin_sqnr_db = 9.0\n'
    )
    asked = resolved(ConvertRequest(project=file, calibrate=7, max_drop=1.0))
    assert asked.model == str(tmp_path / "net.onnx")
    assert (asked.data, asked.calibrate, asked.shape) == (str(tmp_path / "x.npz"), 7, {"x": (1, 4)})
    assert (asked.max_drop, asked.min_sqnr) == (1.0, 9.0)


def test_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetRefused, match="which model"):
        edgeq.convert()


def test_report_is_a_function_and_a_package() -> None:
    from edgeq.report.verdict import __name__ as package

    assert package == "edgeq.report.verdict"
    assert callable(edgeq.report)
    with pytest.raises(TargetRefused, match="comparing needs two measurements"):
        edgeq.report("1a2b", compare=True)
