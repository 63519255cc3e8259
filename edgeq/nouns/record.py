"""Frozen dataclasses to and from plain JSON values. Knows field types, not what they mean."""

import dataclasses
import hashlib
import json
import reprlib
import types
import typing
from typing import Any, TypeVar, Union

R = TypeVar("R", bound="Record")

_UNIONS = (Union, getattr(types, "UnionType", Union))  # the latter, of `X | None`, from Python 3.10 on
_NAMED = 5  # unknown keys in one line
_LONGEST_KEY = 60  # characters of it in a message


class Record:
    """Base of the data classes: `to_dict` and `from_dict`, exact inverses through JSON.

    Unknown keys are refused and missing keys without a default are named, so that a file of a newer schema is never
    half understood. Tuples are JSON lists; bytes and paths never occur.
    """

    def to_dict(self) -> dict[str, Any]:
        return {f.name: plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_dict(cls: type[R], raw: object) -> R:
        """Raises ValueError with the key and what was expected there."""
        if not isinstance(raw, dict):
            raise ValueError(f"{cls.__name__}: expected an object, got {type(raw).__name__}")
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(raw) - set(fields))
        if unknown:
            named = ", ".join(map(reprlib.repr, unknown[:_NAMED]))
            more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
            raise ValueError(f"{cls.__name__}: unknown key {named}{more}; known: {', '.join(fields)}")
        hints = typing.get_type_hints(cls)
        values = {}
        for name, field in fields.items():
            if name in raw:
                values[name] = _typed(hints[name], raw[name], f"{cls.__name__}.{name}")
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise ValueError(f"{cls.__name__}: key {name!r} is missing")
        return cls(**values)


def canonical_json(value: object) -> bytes:
    """The one byte string for a plain value: sorted keys, no spaces, ASCII, a final newline."""
    return (json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n").encode("ascii")


def digest_of(value: object) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def plain(value: object) -> object:
    """As JSON has it, whatever records are in it."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def _typed(hint: Any, value: object, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return value
    if origin in _UNIONS:
        if value is None and type(None) in args:
            return None
        return _typed(next(a for a in args if a is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where}: expected a list, got {type(value).__name__}")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_typed(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
        if len(args) != len(value):
            raise ValueError(f"{where}: expected {len(args)} items, got {len(value)}")
        return tuple(_typed(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value)))
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where}: expected an object, got {type(value).__name__}")
        return {k: _typed(args[1], v, f"{where}.{k[:_LONGEST_KEY]}") for k, v in value.items()}
    if isinstance(hint, type) and issubclass(hint, Record):
        try:
            return hint.from_dict(value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{where}: expected float, got {reprlib.repr(value)}") from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where}: expected {hint.__name__}, got {reprlib.repr(value)}")
    return value
