"""`edgeq uninstall`: leave no trace."""

import sys
from typing import Any

import click

from edgeq.cli.options import device_options, json_option


@click.command()
@click.argument("name", required=False)
@device_options
@click.option(
    "--everything", is_flag=True, help="All models, runtimes, results and the agent: the whole folder."
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    name: str | None, everything: bool, dry_run: bool, yes: bool, as_json: bool, **options: Any
) -> None:
    """Remove the model NAME from the device, or --everything that edgeq ever put there."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.uninstall import uninstall

    if (name is None) == (not everything):
        raise click.UsageError("say which model by NAME, or --everything")
    arguments = device_arguments(options)
    if not (dry_run or yes):
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("no terminal to confirm on: add --yes")
        where = arguments["login"].host or "this machine"
        click.confirm(f"remove {name or 'everything of edgeq'} from {where}?", abort=True, err=True)
    with screen(as_json) as show:
        show.result(uninstall(name, **arguments, dry_run=dry_run, tell=show.tell))
