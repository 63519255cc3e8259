"""`edgeq rollback`: the release before this one."""

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import RollbackRequest


@click.command()
@click.argument("name")
@options_for(RollbackRequest)
@json_option
def command(as_json: bool, **options: object) -> None:
    """Make the previous release of NAME live again."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.rollback import rollback

    with screen(as_json) as show:
        show.result(show.run(rollback, **options, ask_password=asks_password()))
