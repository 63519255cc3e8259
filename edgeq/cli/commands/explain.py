"""`edgeq explain`: the quantization plan layer by layer, with reasons."""

from pathlib import Path
from typing import Any

import click

from edgeq.cli.options import convert_options, json_option, project_option


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
@json_option
def command(target: str, as_json: bool, project: Path | None, **options: Any) -> int:
    """Say of each layer of MODEL (or of a .edgeq bundle) how it is quantized for a target, what that loses and why, and
    what was done about it. Exit code 20 where the gate refuses the model, which is explained all the same.
    """
    from edgeq.cli.options import convert_arguments
    from edgeq.cli.screen import screen
    from edgeq.errors import GateFailed
    from edgeq.workflow.explain import explain

    arguments = convert_arguments(options, project)
    with screen(as_json) as show:
        explained = explain(arguments.pop("model"), target=target, **arguments, tell=show.tell)
        show.result(explained)
    return GateFailed.exit_code if explained.refused else 0
