"""`edgeq rollback`: the release before this one."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import RollbackRequest


@click.command()
@options_for(RollbackRequest)
@json_option
def command(**options: object) -> None:
    """Make the previous release of NAME live again."""
    from edgeq.cli.screen import show
    from edgeq.workflow.rollback import rollback

    show(rollback, **options)
