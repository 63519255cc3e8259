"""A function's keywords are the fields of a request: whatever else is given is a TypeError, and help() lists all of them."""

import difflib
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, ParamSpec, TypeVar, Union, cast, get_args, get_origin

from edgeq.request.device_options import EveryCommand
from edgeq.request.option import Option, options_of
from edgeq.request.resolved import resolved

P = ParamSpec("P")
R = TypeVar("R", bound=EveryCommand)
T = TypeVar("T")


def accepts(request: Callable[P, R]) -> Callable[[Callable[[R], T]], Callable[P, T]]:
    """The decorated function is called with the keywords of `request` and receives the request that they make, resolved."""
    kind = cast(type[R], request)
    signature = _signature(kind)

    def decorate(function: Callable[[R], T]) -> Callable[P, T]:
        @functools.wraps(function)
        def called(*args: P.args, **keywords: P.kwargs) -> T:
            _refuse_unknown(function.__name__, signature, keywords)
            _refuse_positions(function.__name__, signature, len(args))
            try:
                bound = signature.bind(*args, **keywords)
            except TypeError as error:
                raise TypeError(f"{function.__name__}(): {error}") from None
            return function(resolved(kind(**bound.arguments)))

        returned = inspect.signature(function, eval_str=False).return_annotation
        called.__annotations__ = {each.name: each.type for each, _ in options_of(kind)} | {"return": returned}
        vars(called)["__signature__"] = signature.replace(return_annotation=returned)
        called.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{_keywords(kind)}"
        return called

    return decorate


def keywords(request: EveryCommand, other: type[EveryCommand]) -> dict[str, Any]:
    """The keywords of `other` that `request` has too, with its values."""
    return {
        each.name: getattr(request, each.name) for each, _ in options_of(other) if hasattr(request, each.name)
    }


def _signature(request: type[EveryCommand]) -> inspect.Signature:
    parameters = [
        inspect.Parameter(
            each.name,
            _kind(rule),
            annotation=_Plain(_words(each.type)),
            default=inspect.Parameter.empty if no_default(rule) else each.default,
        )
        for each, rule in options_of(request)
    ]
    return inspect.Signature(parameters)


def no_default(rule: Option) -> bool:
    return rule.required or (rule.positional and rule.repeatable)


def _kind(rule: Option) -> "inspect._ParameterKind":
    if not rule.positional:
        return inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter.VAR_POSITIONAL if rule.repeatable else inspect.Parameter.POSITIONAL_OR_KEYWORD


class _Plain(str):
    """An annotation that help() prints as it is."""

    def __repr__(self) -> str:
        return str(self)


def _words(annotation: object) -> str:
    """ "int | None": types by their short names, what is annotated by its text."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return str(args[1])
    if origin in (Union, UnionType):
        return " | ".join(map(_words, args))
    if isinstance(annotation, list):
        return f"[{', '.join(map(_words, annotation))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_words, args))}]"
    if annotation in (None, type(None), ...):
        return "..." if annotation is ... else "None"
    return str(getattr(annotation, "__name__", annotation))


def _refuse_unknown(function: str, signature: inspect.Signature, given: Mapping[str, object]) -> None:
    for name in given:
        if name not in signature.parameters:
            near = difflib.get_close_matches(name, signature.parameters, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"{function}() has no keyword {name!r}{meant}")


def _refuse_positions(function: str, signature: inspect.Signature, given: int) -> None:
    """Names the keywords that are required, or the first that there are, where too many values are given by position."""
    parameters = signature.parameters.values()
    by_keyword = [p for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    by_position = [p for p in parameters if p not in by_keyword]
    if given <= len(by_position) or any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in by_position):
        return
    required = [f"{p.name}=" for p in by_keyword if p.default is p.empty]
    named = required or [*(f"{p.name}=" for p in by_keyword[:3]), "..."]
    only = f"only {' and '.join(p.name for p in by_position)}" if by_position else "nothing"
    raise TypeError(f"{function}() takes {only} by position, the rest by keyword: {', '.join(named)}")


def _keywords(request: type[EveryCommand]) -> str:
    """What help() prints of each: the help of the command line's option, in the words of Python."""
    lines = ["Args:"]
    for each, rule in options_of(request):
        if rule.hidden:
            continue
        allowed = f" One of {', '.join(rule.choices)}." if rule.choices else ""
        words = re.sub(
            r"--([a-z][a-z-]+)",
            lambda m: m[1].replace("-", "_"),
            (rule.in_python or rule.help) + allowed,
        )
        lines += textwrap.wrap(
            f"{each.name}: {words}", 110, initial_indent="    ", subsequent_indent="        "
        )
    return "\n".join(lines)
