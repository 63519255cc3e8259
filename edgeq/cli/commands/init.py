"""`edgeq init`: writes the project file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgeq.cli.options import NameType
from edgeq.cli.printable import echo

if TYPE_CHECKING:
    from edgeq.nouns.project import Project

_MODEL_FILES = ("*.onnx", "*.tflite", "*.pt2")


@click.command()
@click.argument("model", required=False)
@click.option("--data", help="Samples: .npz, a folder of images, or file.py:function.")
@click.option("--preprocess", help='For images: "imagenet" or "size=224x224,scale=1/255,...".')
@click.option("--weights", help="state_dict for a torch factory such as net.py:build.")
@click.option("--target", help="The kind of device (`edgeq targets`).")
@click.option("--host", help="How to reach it: pi@10.0.0.5, or an alias of ~/.ssh/config.")
@click.option("--name", type=NameType(), help="The model's name on the device; default: its stem.")
@click.option("--force", is_flag=True, help="Overwrite an edgeq.toml that is there.")
def command(
    model: str | None, data: str | None, target: str | None, host: str | None, force: bool, **given: Any
) -> None:
    """Write edgeq.toml, so that `edgeq deploy --target NAME` is all you type."""
    from edgeq import catalog, project
    from edgeq.errors import TargetRefused
    from edgeq.nouns.project import Place, Project

    path = Path(project.FILE)
    if path.exists() and not force:
        raise TargetRefused(f"{path} is there already", "edit it, or write a fresh one with --force")
    if target is not None:
        catalog.target(target)
    if host is not None and target is None:
        raise TargetRefused(f"what kind of device is {host}?", "add --target; `edgeq targets` lists them")
    models, samples = _here(*_MODEL_FILES), _here("*.npz")
    found = Project(
        model=model or _only(models),
        data=data or _only(samples),
        targets={target: Place(host=host)} if target else {},
        **given,
    )
    path.write_text(project.project_text(found), encoding="utf-8")
    echo(f"wrote {path}" + (f" for {found.model}" if found.model else ""))
    for line in _left_open(found, models, samples):
        echo(line)
    echo(f"next: {_next(found, target)}")


def _here(*patterns: str) -> list[str]:
    return sorted(p.name for pattern in patterns for p in Path().glob(pattern))


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _left_open(found: "Project", models: list[str], samples: list[str]) -> list[str]:
    lines = []
    if found.model is None:
        why = (
            f"{', '.join(models)}: which one is meant"
            if models
            else "there is no .onnx, .tflite or .pt2 file here"
        )
        lines.append(f"model left open: {why}")
    if found.data is None:
        why = (
            f"{', '.join(samples)}: which one holds the samples" if samples else "there is no .npz file here"
        )
        lines.append(f"data left open: {why}; int8 with fixed ranges needs samples, the other ways do not")
    return lines


def _next(found: "Project", target: str | None) -> str:
    """What works as the file stands now, or what is missing first."""
    deploy = f"edgeq deploy --target {target or 'local'}"
    if found.model is None:
        return f"set `model` in edgeq.toml, then {deploy}; `edgeq demo` shows one that is made"
    return f"set `data` in edgeq.toml, then {deploy}" if found.data is None else deploy
