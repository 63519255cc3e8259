"""`edgeq convert`: a bundle without a device."""

from pathlib import Path
from typing import Any

import click

from edgeq.cli.options import convert_options, json_option, project_option, verbose_option


@click.command()
@click.argument("model", required=False)
@click.option(
    "--target",
    default="local",
    show_default=True,
    metavar="NAME",
    help="The kind of device, or a .toml of your own.",
)
@convert_options
@project_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The bundle to write; default: NAME.edgeq."
)
@verbose_option
@json_option
def command(
    target: str, output: Path | None, verbose: bool, as_json: bool, project: Path | None, **options: Any
) -> int:
    """Quantize MODEL for a target and write the bundle, judged against float; no device is needed."""
    from edgeq.cli.options import convert_arguments
    from edgeq.cli.screen import screen
    from edgeq.model_name import model_name
    from edgeq.workflow.convert import convert

    arguments = convert_arguments(options, project)
    model = arguments.pop("model")
    name = arguments["name"] or model_name(model)
    with screen(as_json, verbose) as show:
        conversion = convert(
            model, target=target, output=output or Path(f"{name}.edgeq"), **arguments, tell=show.tell
        )
        show.result(conversion)
    return 0
