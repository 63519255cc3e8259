"""The arguments and options of a command, made of what its request states. Parses only; imports nothing heavy."""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any, TypeVar

import click

from edgeq.cli.printable import printable
from edgeq.request.option import Option, kind_of, options_of

F = TypeVar("F", bound=Callable[..., Any])


class _OnlyFinite(click.ParamType[float]):
    """Not nan, not inf: no comparison with these ever fails a gate."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class Finite(_OnlyFinite, click.types.FloatParamType):
    """A number."""


class FiniteRange(_OnlyFinite, click.FloatRange):
    """A number between two ends, either of which may be open."""


class ParsedText(click.ParamType[str]):
    """Text that `parse` accepts; stays text, which the request parses."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class ShapeType(click.ParamType[tuple[str, tuple[int, ...]]]):
    """`input=1,3,224,224` -> ("input", (1, 3, 224, 224))."""

    name = "NAME=N,N,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        name, _, dims = str(value).rpartition("=")
        try:
            shape = tuple(int(d) for d in dims.replace("x", ",").split(",") if d.strip())
        except ValueError:
            shape = ()
        if not name or not shape or min(shape) < 1:
            self.fail(f"{value!r} is not NAME=N,N,... such as input=1,3,224,224", param, ctx)
        return name, shape


_TYPES: dict[str, click.ParamType[Any]] = {
    "bundle": click.Path(path_type=Path, exists=True, dir_okay=False),
    "shape": ShapeType(),
    "rootfs": click.Path(path_type=Path, exists=True, file_okay=False),
}
"""Of options whose text becomes something else, by their names."""


def options_for(request: type) -> Callable[[F], F]:
    """The arguments and options of a command that carries out `request`, with the help and the rules that it states."""

    def add(command: F) -> F:
        for each, rule in reversed(list(options_of(request))):
            if not rule.only_python:
                command = (_argument if rule.positional else _option)(each, rule)(command)
        return command

    return add


def _argument(each: Field[object], rule: Option) -> Callable[[F], F]:
    count = -1 if rule.repeatable else 1
    return click.argument(
        each.name, type=_TYPES.get(each.name), nargs=count, required=rule.required, metavar=rule.metavar
    )


def _option(each: Field[object], rule: Option) -> Callable[[F], F]:
    flags = rule.flags or ("--" + each.name.replace("_", "-"),)
    if kind_of(each) is bool:
        return click.option(*flags, each.name, is_flag=True, default=each.default, help=rule.help)
    return click.option(
        *flags,
        each.name,
        type=_TYPES.get(each.name) or _type(kind_of(each), rule),
        metavar=rule.metavar,
        **_default(each),
        required=rule.required,
        show_default=rule.shows_default,
        multiple=rule.repeatable,
        hidden=rule.hidden,
        help=rule.help,
    )


def _type(kind: type, rule: Option) -> click.ParamType[Any]:
    if rule.choices:
        return click.Choice(list(rule.choices))
    if kind is int:
        least, most = (None if end is None else int(end) for end in (rule.least, rule.most))
        return click.IntRange(least, most)
    if kind is float:
        bounded = (rule.least, rule.most) != (None, None)
        return FiniteRange(rule.least, rule.most) if bounded else Finite()
    return ParsedText(rule.metavar or "TEXT", rule.parse) if rule.parse else click.STRING


def _default(each: Field[object]) -> dict[str, Any]:
    """None at all for an option that is required: None would be one."""
    if each.name == "project":
        return {"default": _project_here}
    return {} if each.default is MISSING else {"default": each.default}


def _project_here() -> str | None:
    from edgeq.request.project import FILE

    return FILE if Path(FILE).is_file() else None


def json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document (docs/measurement-schema.md)."
    )(command)


def verbose_option(command: F) -> F:
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Print every reason and figure: layers, other recipes, the route to the device, the whole race.",
    )(command)


def asks_password() -> Callable[[str], str] | None:
    """How a password is asked for; None where nobody would answer."""
    return _ask if _is_somebody_there() else None


def _is_somebody_there() -> bool:
    """Whether a question reaches a person: at the terminal itself, as for `ssh`, or at stdin."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _ask(prompt: str) -> str:
    answer: str = click.prompt(printable(prompt), hide_input=True, err=True)
    return answer
