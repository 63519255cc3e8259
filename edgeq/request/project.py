"""Reads and writes `edgeq.toml`. Paths in it are relative to the file. Knows no command."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from edgeq.catalog import read_toml, target_names
from edgeq.errors import TargetRefused
from edgeq.nouns.project import Gates, Place, Project
from edgeq.request.project_rules import problems_of

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


def without_another_model(project: Project, model: str) -> tuple[Project, str]:
    """The project without what belongs to its own model alone, where `model` is another one; and a sentence that says so."""
    if project.model is None or _place_of(project.model) == _place_of(model):
        return project, ""
    own = [key for key in ("name", "weights", "shapes", "states") if getattr(project, key)]
    kept = [
        key
        for key in ("data", "calibrate", "preprocess", "passes", "integer_io", "gates")
        if getattr(project, key)
    ]
    kept = [key for key in kept if key != "gates" or project.gates != Gates()]
    said = f"{FILE} describes {project.model}, not {model}"
    said += f"; not used from it: {', '.join(own)}" if own else ""
    said += f"; used: {', '.join(kept)}" if kept else ""
    return replace(project, name=None, weights=None, shapes={}, states=None), said if own or kept else ""


def _place_of(model: str) -> tuple[Path, str]:
    """The file and the factory in it; modules are no paths, but equal where their names are."""
    place, _, factory = model.rpartition(":") if ".py:" in model else (model, "", "")
    return Path(place).resolve(), factory


def project_text(project: Project) -> str:
    """`edgeq.toml` for `project`, with what could be set in comments."""
    gates = project.gates
    lines = [
        "# What `edgeq deploy --target NAME` uses; every key can be overridden on the command line.",
        _key_or(
            "model",
            project.model,
            '# model = "model.onnx"      # .onnx, .tflite, .pt2, or a factory: net.py:build',
        ),
        _key_or(
            "name", project.name, '# name = "my-model"         # on the device; default: the model\'s stem'
        ),
        _key_or(
            "weights",
            project.weights,
            '# weights = "state.pt"      # for a torch factory such as "net.py:build"',
        ),
        "",
        "# Samples: an .npz with arrays named as the inputs (and `labels`), a folder of images, or file.py:function.",
        _key_or("data", project.data, '# data = "calib.npz"'),
        _key_or(
            "calibrate",
            project.calibrate,
            "# calibrate = 200           # how many samples calibrate; the others evaluate",
        ),
        _key_or(
            "preprocess",
            project.preprocess,
            '# preprocess = "imagenet"   # for images; or "size=224x224,scale=1/255,mean=...,std=..."',
        ),
        _key_or(
            "passes",
            project.passes,
            '# passes = "-head"          # all passes but this one; or "none", or names: see docs/quantization.md',
        ),
        _key_or(
            "integer_io",
            project.integer_io,
            "# integer_io = true         # int8 .tflite files have int8 inputs and outputs, not float",
        ),
        _key_or(
            "states",
            project.states,
            '# states = "hn=h0"          # outputs that are fed back into inputs; "none"; default: by the samples',
        ),
        "",
        "[shapes]                    # fixes dimensions that the model leaves open",
        *(f"{json.dumps(n)} = {list(s)}" for n, s in project.shapes.items()),
        "# input = [1, 3, 224, 224]",
        "",
        "[gates]",
        _key_or(
            "max_drop",
            gates.max_drop,
            "# max_drop = 1.0            # points of accuracy that quantization may cost; needs labels",
        ),
        _key_or(
            "confidence",
            gates.confidence,
            "# confidence = 95           # percent: the lower end of the paired interval must be within max_drop",
        ),
        '# metric = "score.py:map50" # (outputs, labels) -> score, for detectors and the rest',
    ]
    for name, place in project.targets.items():
        lines += ["", f"[targets.{_bare_or_quoted(name)}]", *_place(place)]
    if not project.targets:
        lines += ["", "# [targets.rpi4]", '# host = "pi@10.0.0.5"']
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


def _key(name: str, value: str | float) -> str:
    return f"{name} = {json.dumps(value)}"


def _key_or(name: str, value: str | float | None, comment: str) -> str:
    return comment if value is None else _key(name, value)


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
            found += problems_of(Project.from_dict({key: value}))
        except ValueError as error:
            found.append(str(error).removeprefix("Project."))
    if "passes" in raw and raw.get("repairs", raw["passes"]) != raw["passes"]:
        found.append("repairs: the old name of passes, which contradicts it; leave it out")
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
            found += [f"{where}.{problem}" for problem in problems_of(noun.from_dict({key: value}))]
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
        targets={
            name: replace(
                place,
                identity=anchor(place.identity),
                root=anchor(place.root) if name == "local" else place.root,
            )
            for name, place in project.targets.items()
        },
    )
