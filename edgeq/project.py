"""Reads and writes `edgeq.toml`. Paths in it are relative to the file. Knows no command."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from edgeq.catalog import read_toml, target_names
from edgeq.errors import TargetRefused
from edgeq.nouns.project import Gates, Place, Project

FILE = "edgeq.toml"


def read_project(path: Path) -> Project:
    """Raises TargetRefused; `details` has one line per problem of the file."""
    raw = read_toml(path)
    problems = _problems(raw)
    if problems:
        raise TargetRefused(
            f"{path} has {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            "`edgeq init` in an empty folder writes one to compare with",
            details=problems,
        )
    return _anchored(Project.from_dict(raw), path.parent)


def project_here(path: Path | None) -> Project:
    """The project file that was named, else `./edgeq.toml` where there is one, else nothing set."""
    if path is not None:
        return read_project(path)
    here = Path(FILE)
    return read_project(here) if here.is_file() else Project()


def project_text(project: Project) -> str:
    """`edgeq.toml` for `project`, with what could be set in comments."""
    lines = [
        "# What `edgeq deploy --target NAME` uses; every key can be overridden on the command line.",
        _key("model", project.model or "model.onnx"),
        _key("name", project.name)
        if project.name
        else '# name = "my-model"          # on the device; default: the model\'s stem',
        _key("weights", project.weights)
        if project.weights
        else '# weights = "state.pt"       # for a torch factory such as "net.py:build"',
        "",
        "# Samples: an .npz with arrays named as the inputs (and `labels`), a folder of images, or file.py:function.",
        _key("data", project.data) if project.data else '# data = "calib.npz"',
        f"calibrate = {project.calibrate}"
        if project.calibrate
        else "# calibrate = 200             # how many samples calibrate; the rest judge",
        '# preprocess = "imagenet"     # for images; or "size=224x224,scale=1/255,mean=...,std=..."',
        "",
        "[shapes]                      # pins what the model leaves open",
        *(f"{json.dumps(n)} = {list(s)}" for n, s in project.shapes.items()),
        "# input = [1, 3, 224, 224]",
        "",
        "[gates]",
        f"max_drop = {project.gates.max_drop if project.gates.max_drop is not None else 1.0}                # points of accuracy that quantization may cost",
        '# metric = "score.py:map50"   # (outputs, labels) -> score, for detectors and the rest',
    ]
    for name, place in (project.targets or {"rpi4": Place()}).items():
        lines += ["", f"[targets.{_bare_or_quoted(name)}]", *_place(place)]
    return "\n".join(lines) + "\n"


def _bare_or_quoted(key: str) -> str:
    """TOML takes letters, digits, _ and - bare; a path of a target file needs quotes."""
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _place(place: Place) -> list[str]:
    lines = [_key("host", place.host) if place.host else '# host = "pi@10.0.0.5"']
    lines += [
        _key(f.name, getattr(place, f.name))
        for f in fields(Place)
        if f.name != "host" and getattr(place, f.name)
    ]
    if not place.root:
        lines.append('# root = "/mnt/ssd/edgeq"      # where edgeq keeps its files there')
    return lines


def _key(name: str, value: str | int) -> str:
    return f"{name} = {json.dumps(value)}"


def _problems(raw: dict[str, Any]) -> list[str]:
    found = []
    known = [f.name for f in fields(Project)]
    for key, value in raw.items():
        if key not in known:
            found.append(f"{key}: unknown key; known: {', '.join(known)}")
            continue
        if key in ("gates", "targets"):
            continue
        try:
            Project.from_dict({key: value})
        except ValueError as error:
            found.append(str(error).removeprefix("Project."))
    found += _table("gates", raw.get("gates", {}), Gates)
    targets = raw.get("targets", {})
    if not isinstance(targets, dict):
        return [*found, f"targets: expected tables such as [targets.rpi4], got {targets!r}"]
    for name, place in targets.items():
        if name not in target_names() and not name.endswith(".toml"):
            found.append(
                f"targets.{name}: there is no such target; known: {', '.join(target_names())}, or a path to a .toml"
            )
        found += _table(f"targets.{name}", place, Place)
    return found


def _table(where: str, raw: Any, noun: type[Gates] | type[Place]) -> list[str]:
    if not isinstance(raw, dict):
        return [f"{where}: expected a table, got {raw!r}"]
    found = []
    for key, value in raw.items():
        try:
            noun.from_dict({key: value})
        except ValueError as error:
            found.append(f"{where}.{str(error).removeprefix(noun.__name__).lstrip('.: ')}")
    return found


def _anchored(project: Project, folder: Path) -> Project:
    def anchor(spec: str | None) -> str | None:
        if spec is None or spec.startswith(("/", "~")) or folder == Path():
            return spec
        path, colon, entry = spec.partition(":")
        if colon and not path.endswith(".py"):
            return spec  # package.module:factory is no path
        return str(folder / path) + colon + entry

    return replace(
        project,
        model=anchor(project.model),
        weights=anchor(project.weights),
        data=anchor(project.data),
        gates=replace(project.gates, metric=anchor(project.gates.metric)),
    )
