"""`edgeq rollback`: the release before this one."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option


@click.command()
@click.argument("name")
@device_options
@click.option(
    "--to",
    metavar="DIGEST",
    help="A kept release, by the first digits of its digest; default: the one before.",
)
@click.option("--dry-run", is_flag=True, help="Say what would become live; change nothing.")
@json_option
def command(name: str, to: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Make the release of NAME that was live before live again."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.rollback import rollback

    with screen(as_json) as show:
        show.result(rollback(name, **device_arguments(options), to=to, dry_run=dry_run, tell=show.tell))
