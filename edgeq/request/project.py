"""Reads and writes `edgeq.toml`, whose keys are the options of a conversion. Paths in it are relative to the file."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

from edgeq.catalog import read_toml, target_names
from edgeq.errors import TargetRefused
from edgeq.nouns.project import Place
from edgeq.request.device_options import OnDevice
from edgeq.request.option import Option, broken_rule, kind_of, not_taken, options_of, types_of
from edgeq.request.requests import ConvertRequest

FILE = "edgeq.toml"
_TARGETS = "targets"
_KINDS = (bool, int, float, str, Mapping)  # what TOML has for an option; paths and models are text
Rules = Mapping[str, tuple[Field[object], Option]]


@dataclass(frozen=True)
class Project:
    """`options` by their names in a request."""

    options: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, Place] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        return self.options.get("model")


def _rules() -> Rules:
    """By key, that of a table as table.key."""
    of_conversion = options_of(ConvertRequest)
    return {rule.toml or each.name: (each, rule) for each, rule in of_conversion if rule.toml is not None}


def _place_rules() -> Rules:
    names = {f.name for f in fields(Place)}
    return {each.name: (each, rule) for each, rule in options_of(OnDevice) if each.name in names}


def read_project(path: Path) -> Project:
    """Raises TargetRefused; `details` has one line per problem of the file."""
    raw = read_toml(path)
    problems: list[str] = []
    targets = raw.pop(_TARGETS, {})
    options = _read(raw, _rules(), problems)
    places = _read_places(targets, problems)
    if problems:
        raise TargetRefused(
            f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            "`edgeq init` in an empty folder writes one to compare with",
            details=problems,
        )
    return _anchored(Project(options, places), path.parent)


def _read(raw: Mapping[str, object], rules: Rules, problems: list[str]) -> dict[str, Any]:
    """Values by the names of their options; adds a line for each key that is unknown or has no such value."""
    found: dict[str, Any] = {}
    for key, value in _flat(raw, rules, problems):
        if key not in rules:
            table = key.rpartition(".")[0]
            names = [k.removeprefix(f"{table}.") for k, (_, rule) in rules.items() if not rule.replaced_by]
            known = [n for n in names if "." not in n] if not table else names
            problems.append(f"{key}: unknown key; known: {', '.join(known)}")
            continue
        each, rule = rules[key]
        kinds = tuple(kind for kind in types_of(each) if kind in _KINDS) or (str,)
        wrong = not_taken(kinds, value) or broken_rule(each, rule, value)
        if wrong:
            problems.append(f"{key}: {wrong}")
            continue
        number = kind_of(each) in (int, float)
        found[each.name] = kind_of(each)(value) if number else value
    problems += _contradictions(found, rules)
    return found


def _flat(raw: Mapping[str, object], rules: Rules, problems: list[str]) -> Iterator[tuple[str, object]]:
    """Keys of tables as table.key."""
    tables = {key.rpartition(".")[0] for key in rules} - {""}
    for key, value in raw.items():
        if key not in tables:
            yield key, value
        elif isinstance(value, dict):
            yield from ((f"{key}.{inner}", each) for inner, each in value.items())
        else:
            problems.append(f"{key}: expected a table, got {value!r}")


def _contradictions(found: Mapping[str, object], rules: Rules) -> Iterator[str]:
    for key, (each, rule) in rules.items():
        both = rule.replaced_by in found and each.name in found
        if both and found[rule.replaced_by] != found[each.name]:
            yield f"{key}: the old name of {rule.replaced_by}, which contradicts it; leave it out"


def _read_places(raw: object, problems: list[str]) -> dict[str, Place]:
    if not isinstance(raw, dict):
        problems.append(f"targets: expected tables such as [targets.rpi4], got {raw!r}")
        return {}
    found = {}
    for name, place in raw.items():
        where = f"{_TARGETS}.{name}"
        if name not in target_names() and not name.endswith(".toml"):
            problems.append(
                f"{where}: there is no such target; known: {', '.join(target_names())}, or a path to a .toml"
            )
        if not isinstance(place, dict):
            problems.append(f"{where}: expected a table, got {place!r}")
            continue
        wrong: list[str] = []
        found[name] = Place(**_read(place, _place_rules(), wrong))
        problems += [f"{where}.{problem}" for problem in wrong]
    return found


def without_another_model(project: Project, model: str) -> tuple[Project, str]:
    """The project without what belongs to its own model alone, where `model` is another one; and a sentence that says so."""
    if project.model is None or _place_of(project.model) == _place_of(model):
        return project, ""
    given = {key: each for key, each in _rules().items() if project.options.get(each[0].name)}
    own = [key for key, (_, rule) in given.items() if rule.model_specific]
    kept = dict.fromkeys(key.partition(".")[0] for key in given if key not in ("model", *own))
    said = f"{FILE} describes {project.model}, not {model}"
    said += f"; not used from it: {', '.join(own)}" if own else ""
    said += f"; used: {', '.join(kept)}" if kept else ""
    unused = {given[key][0].name for key in own}
    options = {name: value for name, value in project.options.items() if name not in unused}
    return replace(project, options=options), said if own or kept else ""


def _place_of(model: str) -> tuple[Path, str]:
    """The file and the factory in it; modules are no paths, but equal where their names are."""
    place, _, factory = model.rpartition(":") if ".py:" in model else (model, "", "")
    return Path(place).resolve(), factory


def project_text(project: Project) -> str:
    """`edgeq.toml` for `project`, with what could be set in comments."""
    tables: dict[str, list[str]] = {"": []}
    for key, (each, rule) in _rules().items():
        table, _, name = key.rpartition(".")
        value = project.options.get(each.name)
        if value is not None:
            tables.setdefault(table, []).append(f"{name} = {_toml(value)}")
        elif rule.example:
            example, _, why = rule.example.partition("  # ")
            tables.setdefault(table, []).append(f"# {name} = {example}".ljust(27) + f" # {why}")
    lines = ["# What `edgeq deploy --target NAME` uses; every key can be overridden on the command line."]
    for table, keys in tables.items():
        lines += [*(("", f"[{table}]") if table else ()), *keys]
    for name, place in project.targets.items():
        lines += ["", f"[{_TARGETS}.{_bare_or_quoted(name)}]", *_place(place)]
    if not project.targets:
        lines += ["", "# [targets.rpi4]", '# host = "pi@10.0.0.5"']
    return "\n".join(lines) + "\n"


def _place(place: Place) -> list[str]:
    lines = [f"{f.name} = {_toml(v)}" for f in fields(Place) if (v := getattr(place, f.name))]
    if not place.host:
        lines.insert(0, '# host = "pi@10.0.0.5"')
    if not place.root:
        lines.append('# root = "/mnt/ssd/edgeq"      # where edgeq keeps its files there')
    return lines


def _bare_or_quoted(key: str) -> str:
    """TOML takes letters, digits, _ and - bare; a path of a target file needs quotes."""
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_bare_or_quoted(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _anchored(project: Project, folder: Path) -> Project:
    def anchor(spec: str | None) -> str | None:
        if spec is None or spec.startswith(("/", "~")) or folder == Path():
            return spec
        path, colon, entry = spec.partition(":")
        if colon and not path.endswith(".py"):
            return spec  # package.module:factory is no path
        return str(folder / path) + colon + entry

    names = {
        each.name
        for each, rule in _rules().values()
        if rule.cache_key == "contents" or PathLike in types_of(each)
    }
    return Project(
        {name: anchor(value) if name in names else value for name, value in project.options.items()},
        {
            name: replace(
                place,
                identity=anchor(place.identity),
                root=anchor(place.root) if name == "local" else place.root,
            )
            for name, place in project.targets.items()
        },
    )
