"""`edgeq deploy`: the product."""

from typing import Any

import click

from edgeq.cli.options import (
    convert_options,
    device_options,
    json_option,
    seconds_option,
    store_option,
    verbose_option,
)


@click.command()
@click.argument("model", required=False)
@device_options
@convert_options
@seconds_option(30.0)
@click.option("--keep", type=click.IntRange(1), help="Releases kept on the device; default: the target's.")
@click.option("--measure-again", is_flag=True, help="Race again though this very release is live.")
@click.option("--service", is_flag=True, help="Also install the agent as a systemd service there.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Convert, look at the device, say what would be sent; change nothing there.",
)
@store_option
@verbose_option
@json_option
def command(seconds: float, service: bool, verbose: bool, as_json: bool, **options: Any) -> int:
    """Quantize MODEL for a device, bring it there, measure it there, make the fastest faithful candidate live.

    MODEL is an ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a finished .edgeq bundle, or what
    edgeq.toml names.
    """
    from edgeq.cli.options import convert_arguments, device_arguments
    from edgeq.cli.screen import screen
    from edgeq.nouns.job import Limits
    from edgeq.workflow.deploy import deploy
    from edgeq.workflow.serviced import deploy_as_service

    project = options["project"]
    arguments = device_arguments(options) | convert_arguments(options, project)
    model = arguments.pop("model")
    story = deploy_as_service if service else deploy
    with screen(as_json, verbose) as show:
        deployment = story(model, **arguments, **options, limits=Limits(seconds=seconds), tell=show.tell)
        show.result(deployment)
    return deployment.exit_code
