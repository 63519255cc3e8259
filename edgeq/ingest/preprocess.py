"""`--preprocess` text or an edgeq.toml table -> Preprocessing, with every problem at once. Touches no image."""

import math
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from edgeq.errors import DataRefused
from edgeq.nouns.tensor import Preprocessing

Values = dict[str, Any]  # of a Preprocessing, by field
Reader = Callable[[object], Values]

_PRESETS = Path(__file__).with_name("presets.toml")
EXAMPLE = "size=224x224,resize=short_side:256,layout=NCHW,channels=RGB,scale=1/255,mean=0.485/0.456/0.406,std=0.229/0.224/0.225"


def presets() -> dict[str, dict[str, object]]:
    return tomllib.loads(_PRESETS.read_text(encoding="utf-8"))


def parse(text: str) -> Preprocessing:
    """`key=value,...`, after the name of a preset or without one. Sizes are HEIGHTxWIDTH, lists are joined by `/`.

    Raises DataRefused; `details` has one line per problem.
    """
    table: dict[str, object] = {}
    problems = []
    for index, part in enumerate(p.strip() for p in text.split(",") if p.strip()):
        key, equals, value = part.partition("=")
        if equals:
            table[key.strip()] = value.strip()
        elif index == 0:
            table["preset"] = part
        else:
            problems.append(_no_key(part, text))
    return from_table(table, problems)


def _no_key(part: str, text: str) -> str:
    if part not in presets():
        return f"{part!r}: expected key=value"
    others = [p.strip() for p in text.split(",") if p.strip() and p.strip() != part]
    return f"{part!r} is a preset, which goes first and alone: {','.join((part, *(p for p in others if '=' in p)))}"


def as_text(preprocessing: Preprocessing) -> str:
    """What --preprocess takes for it: the shortest of a preset with the keys that differ from it, and of keys alone."""
    found = []
    for name in presets():
        preset = parse(name)
        if preset.size is not None and preprocessing.size is None:
            continue  # no key takes a size away
        keys = [
            f"{key}={value}" for key, value in _keys(preprocessing).items() if _keys(preset)[key] != value
        ]
        found.append(",".join(keys if name == "none" and keys else (name, *keys)))
    return min(found, key=lambda text: (text.count("="), len(text)))


def _keys(p: Preprocessing) -> dict[str, str]:
    def joined(values: tuple[float, ...]) -> str:
        return "/".join(map(_format_number, values if len(set(values)) > 1 else values[:1]))

    return {
        "size": "" if p.size is None else f"{p.size[0]}x{p.size[1]}",
        "resize": p.resize if p.short_side is None else f"{p.resize}:{p.short_side}",
        "layout": p.layout,
        "channels": p.channels,
        "scale": _format_number(p.scale),
        "mean": joined(p.mean),
        "std": joined(p.std),
    }


def _format_number(number: float) -> str:
    """As a fraction of one where that is exact and the number itself is not short: 1/255."""
    short = f"{number:.6g}"
    if number == 0 or float(short) == number:
        return short
    below = f"{1 / abs(number):.6g}"
    if math.isclose(1 / float(below), abs(number), rel_tol=1e-9):
        return f"{'-' if number < 0 else ''}1/{below}"
    return short


def parse_optional(value: str | Mapping[str, object] | None) -> Preprocessing | None:
    """The text of --preprocess, a table of edgeq.toml, or neither. Raises DataRefused."""
    return None if value is None else parse(value) if isinstance(value, str) else from_table(value)


def from_table(table: Mapping[str, object], problems: list[str] | None = None) -> Preprocessing:
    """A `[preprocess]` table: the same keys, values as text, numbers or lists; `preset = "imagenet"` first."""
    problems = list(problems or ())
    if not isinstance(table, Mapping):
        problems.append(f"expected text or a table of keys, got {table!r}")
        table = {}
    known = presets()
    preset = str(table.get("preset", "none"))
    if preset not in known:
        problems.append(
            f"there is no preset {preset!r}{_nearest(preset, known)}; presets: {', '.join(known)}"
        )
    given = {**known.get(preset, {}), **{k: v for k, v in table.items() if k != "preset"}}
    values: Values = {}
    for key, value in given.items():
        if key not in _READERS:
            near = _nearest(key, ("preset", *_READERS))
            problems.append(f"unknown key {key!r}{near}; keys: preset, {', '.join(_READERS)}")
            continue
        try:
            values.update(_READERS[key](value))
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            problems.append(f"{key}={value}: {error}")
    problems += _conflicts(values)
    if problems:
        raise DataRefused(
            f"the preprocessing has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            f"presets: {', '.join(known)}; in full: --preprocess {EXAMPLE}",
            details=problems,
        )
    return Preprocessing(**values)


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.lower(), list(known), n=1)
    return f", did you mean {near[0]}" if near else ""


def _conflicts(values: Values) -> list[str]:
    found = []
    if values.get("resize") == "short_side" and not values.get("size"):
        found.append("resize=short_side needs size=HEIGHTxWIDTH, which is cropped from the centre")
    short, size = values.get("short_side"), values.get("size")
    if short and size and short < max(size):
        found.append(f"resize=short_side:{short} is smaller than the crop size={size[0]}x{size[1]}")
    count = 1 if values.get("channels") == "GRAY" else 3
    for key in ("mean", "std"):
        if len(values.get(key, (0,))) not in (1, count):
            expected = "one: channels=GRAY has one channel" if count == 1 else "1 or 3"
            found.append(f"{key} has {len(values[key])} values, expected {expected}")
    return found


def _size(value: object) -> Values:
    parts = value if isinstance(value, (list, tuple)) else str(value).lower().split("x")
    if len(parts) == 1:
        parts = [parts[0], parts[0]]
    try:
        height, width = (int(p) for p in parts)
    except (TypeError, ValueError):
        raise ValueError("expected HEIGHTxWIDTH in pixels, as in 224x224") from None
    if height < 1 or width < 1:
        raise ValueError("expected HEIGHTxWIDTH of at least 1x1")
    return {"size": (height, width)}


def _resize(value: object) -> Values:
    kind, _, pixels = str(value).partition(":")
    if kind == "short_side":
        if not pixels.isdecimal() or int(pixels) < 1:
            raise ValueError("expected short_side:PIXELS, as in short_side:256")
        return {"resize": kind, "short_side": int(pixels)}
    if pixels or kind not in ("stretch", "none"):
        raise ValueError("expected stretch, none or short_side:PIXELS")
    return {"resize": kind, "short_side": None}


def _one_of(key: str, *allowed: str) -> Reader:
    def read(value: object) -> Values:
        word = str(value).upper()
        if word not in allowed:
            raise ValueError(f"expected {' or '.join(allowed)}")
        return {key: word}

    return read


def _scale(value: object) -> Values:
    return {"scale": _number(value)}


def _numbers(key: str) -> Reader:
    def read(value: object) -> Values:
        parts = value if isinstance(value, (list, tuple)) else str(value).split("/")
        numbers = tuple(_number(p) for p in parts)
        if key == "std" and 0.0 in numbers:
            raise ValueError("a std of 0 divides by zero")
        return {key: numbers}

    return read


def _number(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        above, slash, below = str(value).strip().partition("/")
        if slash and float(below) == 0:
            raise ZeroDivisionError
        number = float(Fraction(above) / Fraction(below)) if slash else float(value)
    except ZeroDivisionError:
        raise ValueError("a division by zero") from None
    except (TypeError, ValueError):
        raise ValueError("expected a number such as 0.5 or 1/255") from None
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


_READERS: dict[str, Reader] = {
    "size": _size,
    "resize": _resize,
    "layout": _one_of("layout", "NCHW", "NHWC"),
    "channels": _one_of("channels", "RGB", "BGR", "GRAY"),
    "scale": _scale,
    "mean": _numbers("mean"),
    "std": _numbers("std"),
}
