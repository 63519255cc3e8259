"""`edgeq status`: what lives on a device."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option, store_option


@click.command()
@device_options
@store_option
@json_option
def command(as_json: bool, **options: Any) -> None:
    """What is live on the device per name, since when and how fast, the agent, the disk, the service."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.status import status

    arguments = device_arguments(options)
    with screen(as_json) as show:
        show.result(status(**arguments, **options, tell=show.tell))
