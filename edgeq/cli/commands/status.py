"""`edgeq status`: what lives on a device."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import StatusRequest


@click.command()
@options_for(StatusRequest)
@json_option
def command(**options: object) -> None:
    """What is live on the device per name (or under NAME), since when and how fast, the agent, the disk, the service; or, with
    --code, a whole program that runs the live model there.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.status import status

    show(status, **options)
