"""`edgeq status`: what lives on a device."""

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import StatusRequest


@click.command()
@click.argument("name", required=False)
@options_for(StatusRequest)
@json_option
def command(as_json: bool, **options: object) -> None:
    """What is live on the device per name (or under NAME), since when and how fast, the agent, the disk, the service; or, with
    --code, a whole program that runs the live model there.
    """
    from edgeq.cli.screen import screen
    from edgeq.workflow.status import status

    with screen(as_json) as show:
        show.result(show.run(status, **options, ask_password=asks_password()))
