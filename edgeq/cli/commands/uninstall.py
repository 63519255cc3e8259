"""`edgeq uninstall`: leave no trace."""

import sys
from typing import Any

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import UninstallRequest
from edgeq.request.takes import keywords


@click.command()
@options_for(UninstallRequest)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(yes: bool, as_json: bool, **options: Any) -> None:
    """Remove the model NAME from the device, or with --everything all that edgeq put there."""
    from edgeq.cli.screen import screen
    from edgeq.request.settled import settled
    from edgeq.workflow.uninstall import uninstall

    asked = settled(UninstallRequest(**options, ask_password=asks_password()))
    if (asked.name is None) == (not asked.everything):
        raise click.UsageError("say which model by NAME, or --everything")
    if not (asked.dry_run or yes):
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("no terminal to confirm on: add --yes")
        where = asked.host or "this machine"
        click.confirm(f"remove {asked.name or 'everything of edgeq'} from {where}?", abort=True, err=True)
    with screen(as_json) as shown:
        shown.result(uninstall(**keywords(asked, UninstallRequest) | {"tell": shown.tell}))
