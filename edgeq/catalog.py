"""Finds and reads the data that ships with edgeq: targets/, deploy/ and recipes/, in a checkout or in a wheel.

Knows file formats and where files are; what the values mean is for others.
"""

import os
import re
from pathlib import Path
from typing import Any, TypeVar

from edgeq.errors import TargetRefused
from edgeq.limited import toml_file
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file
from edgeq.nouns.recipe import Recipe
from edgeq.nouns.record import Record
from edgeq.nouns.target import Target

_PACKAGE = Path(__file__).parent
_FIRST_PIN = re.compile(r"^[\w.-]+==(\S+)", re.MULTILINE)  # a lock begins with the runtime itself
R = TypeVar("R", bound=Record)


def shipped(name: str) -> Path:
    """The folder `name` ("targets", "deploy") of this installation: inside a wheel, or next to the package."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def target_names() -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in shipped("targets").glob("*.toml")))


def deployable_names(arch: str) -> tuple[str, ...]:
    """The shipped targets that a Linux device of this userland architecture can be deployed to as."""
    known = (target(name) for name in target_names())
    return tuple(t.name for t in known if t.os == "linux" and not t.detect and t.cpu.arch == arch)


def recipe_names() -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in (_PACKAGE / "recipes").glob("*.toml")))


def recipe(name: str) -> Recipe:
    path = _PACKAGE / "recipes" / f"{name}.toml"
    if not path.is_file():
        raise TargetRefused(
            f"there is no recipe {name!r}{_did_you_mean(name, recipe_names())}",
            f"the recipes are: {', '.join(recipe_names())}",
        )
    return _read(path, Recipe)


def target(name: str | os.PathLike[str]) -> Target:
    """A target by name, or by path when `name` looks like one. Raises TargetRefused with every problem of the file."""
    if isinstance(name, os.PathLike):
        return read_target(Path(name))
    if name.endswith(".toml") or "/" in name:
        return read_target(Path(name))
    path = shipped("targets") / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(target_names())
        raise TargetRefused(
            f"there is no target {name!r}{_did_you_mean(name, target_names())}",
            f"the targets are: {known}; a file of your own goes as --target ./myboard.toml",
        )
    return read_target(path)


def require_runtime(target: Target, runtime: str | None) -> None:
    """Raises TargetRefused where the target does not run the one runtime that was asked for."""
    if runtime is not None and not target.supports(runtime):
        has = ", ".join(r.name for r in target.runtimes)
        raise TargetRefused(
            f"target {target.name} has no runtime {runtime!r}", f"it has: {has}; leave out --runtime"
        )


def _did_you_mean(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # not for `edgeq --help`

    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def read_target(path: Path) -> Target:
    """Raises TargetRefused; `details` has one line per problem, with its key and the allowed values."""
    from edgeq.target_rules import problems_of

    raw = read_toml(path)
    problems = problems_of(raw, shipped_versions())
    if problems:
        raise TargetRefused(
            f"{path} is not a valid target: {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            "docs/targets.md lists every key; `edgeq targets show rpi4` prints a complete example",
            details=problems,
        )
    return Target.from_dict(raw)


def shipped_versions() -> dict[str, tuple[str, ...]]:
    """The versions of each runtime that deploy/wheels pins, whatever the Python and the architecture."""
    found: dict[str, set[str]] = {}
    for lock in (shipped("deploy") / "wheels").glob("*.txt"):
        runtime, pin = lock.name.rpartition("-cp")[0], _FIRST_PIN.search(lock.read_text(encoding="utf-8"))
        if pin:
            found.setdefault(runtime, set()).add(pin[1])
    return {runtime: tuple(sorted(versions)) for runtime, versions in found.items()}


def read_toml(path: Path) -> dict[str, Any]:
    """Raises TargetRefused with the place in its text. What did not come with edgeq is read in a limited child."""
    ours = path.parent in (shipped("targets"), _PACKAGE / "recipes")
    found: dict[str, Any] = (
        toml_file.read(str(path)) if ours else ask(toml_file.READER, path, for_file(toml_file.LARGEST))[0]
    )
    return found


def _read(path: Path, noun: type[R]) -> R:
    try:
        return noun.from_dict(read_toml(path))
    except ValueError as error:
        raise TargetRefused(f"{path}: {error}") from None
