"""OpenSSH's client configuration: paramiko parses and looks up, this file adds Include and says where a line is wrong.

An Include inside a Host or Match block counts only where that block does, and its own blocks narrow it further. The
expanded text therefore repeats the conditions: `Host a` + included `Host b` becomes `Match originalhost a
originalhost b`, and after the Include the outer block is opened again.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import paramiko

from edgeq.errors import Unreachable

_LINE = re.compile(r"(\w+)(?:\s*=\s*|\s+)(.+)")
_DEEPEST = 16  # OpenSSH's limit on nested Includes
Conditions = tuple[str, ...]


def read_config(files: Sequence[Path]) -> paramiko.SSHConfig:
    """The files, the first with precedence, as one configuration. Files that do not exist are empty.

    Raises Unreachable with file and line.
    """
    lines = [
        line for file in files if file.is_file() for line in ("Host *", *_expanded(file, (), file.parent, 0))
    ]
    try:
        return paramiko.SSHConfig.from_text("\n".join(lines))
    except paramiko.ConfigParseError as error:
        raise Unreachable(f"{files[0]} cannot be used: {error}", "see `man ssh_config`") from error


def _expanded(file: Path, outer: Conditions, folder: Path, depth: int) -> Iterator[str]:
    """The file's lines with Includes replaced; `outer` is what must hold for any of them, `folder` where relative
    Includes are looked for.
    """
    if depth > _DEEPEST:
        raise Unreachable(
            f"{file}: Include is nested more than {_DEEPEST} deep", "look for files that include each other"
        )
    here = outer
    for number, raw in enumerate(_read(file).splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        key, value = _split(line, file, number)
        if key in ("host", "match"):
            here = (*outer, *_condition(key, value, file, number))
            yield _opening(here)
        elif key == "include":
            for included in _included(value, folder):
                yield from _expanded(included, here, folder, depth + 1)
                yield _opening(here)
        else:
            yield line


def _split(line: str, file: Path, number: int) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if not match:
        raise Unreachable(f"{file}:{number}: cannot be read: {line!r}", "a line is a keyword and its value")
    return match[1].lower(), match[2]


def _condition(key: str, value: str, file: Path, number: int) -> Conditions:
    """As criteria of a Match line."""
    if key == "match":
        return () if value.strip().lower() == "all" else (value.strip(),)
    try:
        return (f"originalhost {shlex.quote(','.join(shlex.split(value)))}",)
    except ValueError as error:
        raise Unreachable(f"{file}:{number}: {error}: {value!r}", "close the quotation") from None


def _opening(conditions: Conditions) -> str:
    return f"Match {' '.join(conditions)}" if conditions else "Host *"


def _included(value: str, folder: Path) -> Iterator[Path]:
    for pattern in shlex.split(value):
        path = Path(pattern).expanduser()
        absolute = path if path.is_absolute() else folder / path
        root = Path(absolute.anchor)
        yield from sorted(p for p in root.glob(str(absolute.relative_to(root))) if p.is_file())


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError as error:
        raise Unreachable(f"{file} cannot be read: {error.strerror}", "check its permissions") from error
