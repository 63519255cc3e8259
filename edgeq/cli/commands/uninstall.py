"""`edgeq uninstall`: leave no trace."""

import sys
from typing import Any

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.accepts import keywords
from edgeq.request.requests import UninstallRequest


@click.command()
@options_for(UninstallRequest)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(yes: bool, as_json: bool, **options: Any) -> None:
    """Remove the model NAME from the device, or with --everything all that edgeq put there."""
    from edgeq.cli.screen import screen
    from edgeq.request.resolved import resolved
    from edgeq.workflow.uninstall import uninstall

    request = resolved(UninstallRequest(**options, ask_password=asks_password()))
    if (request.name is None) == (not request.everything):
        raise click.UsageError("say which model by NAME, or --everything")
    if not (request.dry_run or yes):
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("no terminal to confirm on: add --yes")
        where = request.host or "this machine"
        click.confirm(f"remove {request.name or 'everything of edgeq'} from {where}?", abort=True, err=True)
    with screen(as_json) as shown:
        shown.result(uninstall(**keywords(request, UninstallRequest) | {"tell": shown.tell}))
