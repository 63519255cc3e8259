"""`edgeq deploy`: the product."""

import click

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.request.requests import DeployRequest


@click.command()
@options_for(DeployRequest)
@verbose_option
@json_option
def command(**options: object) -> int:
    """Quantize MODEL for a device, send it there, race the candidates, and make the fastest one that passed the gate live.

    MODEL is an ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a finished .edgeq bundle, or what
    edgeq.toml names.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.deploy import deploy

    return show(deploy, **options).exit_code
