"""One option of a command: its help and the rule for its value, kept with the field of a request that holds it.

Knows dataclasses; knows no command, and nothing of click.
"""

import math
import numbers
import reprlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from os import PathLike
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from edgeq.errors import TargetRefused

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

_KEY = "option"
# For an option that does not change the bundle: where it is written, who hears of progress, or a value that is in the cache key by
# another way.
NOT_IN_RESULT: dict[str, Any] = {"toml": None, "cache_key": None, "fixed_by_bundle": False}


@dataclass(frozen=True)
class Option:
    """How it is given. `flags` replace --name on the command line. `choices`, `least` and `most` (both included) bound the value.
    `positional`: an argument, not an option; `position` is its place among these. `only_python`: a keyword without an option of the command line.
    `in_python` is the help of a keyword where it is not that of the option. `replaced_by`: the new name of an option that was renamed.
    `parse` turns the value, or None where it is not given, into what is used, and raises ValueError for a wrong one.

    What follows from it, each with the default that a new option of a conversion needs. `toml`: its key in edgeq.toml, "gates.max_drop"
    where it is in a table, "" for its name, None where it is not in the file; `example` is its line in a new file.
    `model_specific`: not used from an edgeq.toml that describes another model. `cache_key`: what of it is in the key of the cached
    bundle: its value, the contents of the files that it names, or nothing. `fixed_by_bundle`: a finished bundle was made with it,
    and it has no effect there.
    """

    help: str
    metavar: str | None = None
    flags: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    shows_default: bool = False
    repeatable: bool = False
    required: bool = False
    hidden: bool = False
    positional: bool = False
    position: int = 0
    only_python: bool = False
    in_python: str = ""
    replaced_by: str = ""
    parse: Callable[[Any], object] | None = None
    toml: str | None = ""
    example: str = ""
    model_specific: bool = False
    cache_key: Literal["value", "contents"] | None = "value"
    fixed_by_bundle: bool = True


def option(help: str, default: Any = None, **rule: Any) -> Any:
    """A field of a request that is given by its name."""
    return _field(default, Option(help, **rule))


def argument(help: str, default: Any = None, **rule: Any) -> Any:
    """A field that may be given by position."""
    return _field(default, Option(help, positional=True, **rule))


def _field(default: Any, rule: Option) -> Any:
    return field(default=MISSING if rule.required else default, metadata={_KEY: rule})


def options_of(
    request: "DataclassInstance | type[DataclassInstance]",
) -> Iterator[tuple[Field[object], Option]]:
    """Every field of a request, or of its class, with its option, arguments first, last what only Python takes."""
    found = [(each, each.metadata[_KEY]) for each in fields(request)]
    return iter(sorted(found, key=lambda f: (not f[1].positional, f[1].only_python, f[1].position)))


def types_of(each: Field[object]) -> tuple[Any, ...]:
    """The classes whose instances a field takes, None's among them; Any where the field's type does not say."""
    union = get_origin(each.type) in (Union, UnionType)
    return tuple(get_origin(kind) or kind for kind in (get_args(each.type) if union else (each.type,)))


def kind_of(each: Field[object]) -> type:
    """bool, int or float where that is what a field takes; else object."""
    return next((kind for kind in (bool, int, float) if kind in types_of(each)), object)


def require_rules(request: "DataclassInstance") -> None:
    """Raises TypeError for a value of another type, and TargetRefused for one that its rule excludes."""
    for each, rule in options_of(request):
        value = getattr(request, each.name)
        wrong = not_taken(types_of(each), value)
        if wrong:
            raise TypeError(f"{each.name} {wrong}")
        broken = None if value is None else broken_rule(each, rule, value)
        if broken:
            raise TargetRefused(f"{each.name}: {broken}", _remedy(each, rule))


def _remedy(each: Field[object], rule: Option) -> str | None:
    if rule.choices:
        return f"there are: {', '.join(rule.choices)}"
    return f"leave out `{each.name}` for the default" if rule.parse and not rule.required else None


def not_taken(kinds: tuple[Any, ...], value: object) -> str:
    """In words, where `value` is of none of these types."""
    if _is_one_of(value, kinds):
        return ""
    words = " or ".join(_TAKES.get(k, getattr(k, "__name__", "")) for k in kinds if k is not NoneType)
    return f"takes {words}, not {reprlib.repr(value)} of type {type(value).__name__}"


def broken_rule(each: Field[object], rule: Option, value: Any) -> str:
    """In words, where a value of the right type is excluded."""
    if rule.choices and value not in rule.choices:
        return f"there is no {value!r}"
    if kind_of(each) in (int, float) and not _is_within(value, rule):
        return f"{_short(value)} is not {_range(rule)}"
    try:
        if rule.parse is not None and value != "":
            rule.parse(value)
    except ValueError as error:
        return str(error)
    return ""


def plain_numbers(request: R) -> R:
    """The request with int and float in place of numpy's and of each other: equal requests have one key."""
    changes: dict[str, Any] = {}
    for each, _ in options_of(request):
        value, kind = getattr(request, each.name), kind_of(each)
        if kind in (int, float) and value is not None:
            changes[each.name] = kind(value)
    return replace(request, **changes)


def parse_value(rule: Option, value: object) -> object:
    return value if rule.parse is None else rule.parse(None if value == "" else value)


def parsed(request: "DataclassInstance", kind: type[R], **known: Any) -> R:
    """A `kind` whose fields are the request's options of these names, parsed, but for those in `known`."""
    rules = {each.name: rule for each, rule in options_of(request)}
    names = [each.name for each in fields(kind) if each.name not in known]
    return kind(**{name: parse_value(rules[name], getattr(request, name)) for name in names}, **known)


_TAKES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    PathLike: "a path",
    Mapping: "a dict",
    tuple: "a tuple",
    Callable: "a function",
}
_NUMBERS = {int: numbers.Integral, float: numbers.Real}


def _is_one_of(value: Any, taken: tuple[Any, ...]) -> bool:
    if any(kind in (Any, Annotated) for kind in taken):
        return True
    if isinstance(value, bool):
        return bool in taken
    return isinstance(value, tuple(_NUMBERS.get(kind, kind) for kind in taken))


def _is_within(value: float, rule: Option) -> bool:
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        finite = False
    above = rule.least is None or value >= rule.least
    return finite and above and (rule.most is None or value <= rule.most)


def _short(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return reprlib.repr(value)


def _range(rule: Option) -> str:
    if rule.least is None:
        return "a finite number"
    return f"at least {rule.least}" if rule.most is None else f"between {rule.least} and {rule.most}"
