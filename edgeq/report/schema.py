"""A JSON Schema from the nouns' own types: what a document holds is written down once, in edgeq/nouns.

Every key is always written, absent values as null, so every key is required. Knows types, not documents: those are
listed in docs/make_schemas.py.
"""

import dataclasses
import inspect
import types
import typing

from edgeq.nouns.record import Record

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: dict[object, dict[str, object]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    object: {},
}


def document(title: str, hint: object) -> dict[str, object]:
    """A whole schema for one kind of document."""
    definitions: dict[str, object] = {}
    body = schema_of(hint, definitions)
    return {"$schema": DIALECT, "title": title, **body, "$defs": dict(sorted(definitions.items()))}


def schema_of(hint: object, definitions: dict[str, object]) -> dict[str, object]:
    """The schema of one type; nouns go to `definitions` under their names. A dict of hints is an object with these keys.

    Raises TypeError for a type that a noun must not have.
    """
    if isinstance(hint, dict):
        return _object({key: schema_of(value, definitions) for key, value in hint.items()})
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema_of(arg, definitions) for arg in args]}
    if origin is tuple:
        return _array(args, definitions)
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(args[1], definitions)}
    if isinstance(hint, type) and issubclass(hint, Record):
        return _noun(hint, definitions)
    raise TypeError(f"no JSON Schema for {hint!r}")


def _noun(noun: type[Record], definitions: dict[str, object]) -> dict[str, object]:
    name = noun.__name__
    if name not in definitions:
        definitions[name] = {}  # taken, in case the noun holds itself
        hints = typing.get_type_hints(noun)
        fields = [field.name for field in dataclasses.fields(noun)]  # type: ignore[arg-type]
        body = _object({field: schema_of(hints[field], definitions) for field in fields})
        described = {"description": _words(noun)} if _words(noun) else {}
        definitions[name] = described | body
    return {"$ref": f"#/$defs/{name}"}


def _words(noun: type[Record]) -> str:
    """The docstring on one line; none where the dataclass wrote its own."""
    text = inspect.cleandoc(noun.__doc__ or "")
    return "" if text.startswith(f"{noun.__name__}(") else " ".join(text.split())


def _object(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(args: tuple[object, ...], definitions: dict[str, object]) -> dict[str, object]:
    if len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": schema_of(args[0], definitions)}
    return {
        "type": "array",
        "prefixItems": [schema_of(arg, definitions) for arg in args],
        "items": False,
        "minItems": len(args),
    }
