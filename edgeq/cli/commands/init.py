"""`edgeq init`: writes the project file."""

from typing import Any

import click

from edgeq.cli.options import ParsedText
from edgeq.cli.printable import echo
from edgeq.model_name import require_model_name
from edgeq.request.project import Project


@click.command()
@click.argument("model", required=False)
@click.option("--data", help="Samples: .npz, a folder of images, or file.py:function.")
@click.option("--preprocess", help='For images: "imagenet" or "size=224x224,scale=1/255,...".')
@click.option("--weights", help="state_dict for a torch factory such as net.py:build.")
@click.option("--target", help="The kind of device (`edgeq targets`).")
@click.option("--host", help="How to reach it: pi@10.0.0.5, or an alias of ~/.ssh/config.")
@click.option(
    "--name",
    type=ParsedText("NAME", require_model_name),
    help="The model's name on the device; default: the file's name, or the function's in lower case.",
)
@click.option("--force", is_flag=True, help="Overwrite an edgeq.toml that is there.")
def command(model: str | None, **given: Any) -> None:
    """Write edgeq.toml, so that `edgeq deploy --target NAME` is all you type.

    What you do not name is searched in this folder: an .onnx, .tflite or .pt2 file or a torch model in a .py file, its
    weights, and samples (.npz, or a folder of images).
    """
    from edgeq.workflow.init import init

    started = init(model, **given)
    echo(f"wrote {started.path}: " + ", ".join(_chosen(started.project)))
    for line in started.open_questions:
        echo(line)
    echo(f"next: {started.next}")


def _chosen(project: Project) -> list[str]:
    options = project.options
    return [f"{key} {options[key]}" for key in ("model", "weights", "data") if options.get(key) is not None]
