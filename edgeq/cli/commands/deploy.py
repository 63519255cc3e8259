"""`edgeq deploy`: the product."""

import click

from edgeq.cli.options import asks_password, json_option, options_for, verbose_option
from edgeq.request.requests import DeployRequest


@click.command()
@click.argument("model", required=False)
@options_for(DeployRequest)
@verbose_option
@json_option
def command(verbose: bool, as_json: bool, **options: object) -> int:
    """Quantize MODEL for a device, send it there, race the candidates, and make the fastest one that passed the gate live.

    MODEL is an ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a finished .edgeq bundle, or what
    edgeq.toml names.
    """
    from edgeq.cli.screen import screen
    from edgeq.workflow.deploy import deploy

    with screen(as_json, verbose) as show:
        deployment = show.run(deploy, **options, ask_password=asks_password())
        show.result(deployment)
    return deployment.exit_code
