"""`edgeq init`: writes the project file."""

from pathlib import Path

import click

_MODEL_FILES = ("*.onnx", "*.tflite", "*.pt2")


@click.command()
@click.argument("model", required=False)
@click.option("--data", help="Samples: .npz, a folder of images, or file.py:function.")
@click.option("--target", help="The kind of device (`edgeq targets`).")
@click.option("--host", help="How to reach it: pi@10.0.0.5, or an alias of ~/.ssh/config.")
@click.option("--name", help="The model's name on the device; default: its stem.")
@click.option("--force", is_flag=True, help="Overwrite an edgeq.toml that is there.")
def command(
    model: str | None, data: str | None, target: str | None, host: str | None, name: str | None, force: bool
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
    found = model or _only_model_here()
    places = {target: Place(host=host)} if target else {}
    text = project.project_text(
        Project(model=found, data=data or _only_data_here(), name=name, targets=places)
    )
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {path}" + (f" for {found}" if found else ": set `model` in it"))
    click.echo(f"next: edgeq deploy --target {target or 'local'}")


def _only_model_here() -> str | None:
    found = sorted(p.name for pattern in _MODEL_FILES for p in Path().glob(pattern))
    return found[0] if len(found) == 1 else None


def _only_data_here() -> str | None:
    found = sorted(p.name for p in Path().glob("*.npz"))
    return found[0] if len(found) == 1 else None
