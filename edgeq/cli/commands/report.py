"""`edgeq report`: what was measured before."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option, store_option


@click.command()
@click.argument("measurements", nargs=-1, metavar="[ID]...")
@click.option("--name", help="Only this model.")
@click.option(
    "--compare", is_flag=True, help="Compare the measurements with each other; the first is the reference."
)
@click.option("--force", is_flag=True, help="Compare though the conditions differ.")
@click.option("--fetch", is_flag=True, help="First fetch from --host what its agent measured by itself.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows to list.")
@device_options
@store_option
@json_option
def command(measurements: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """List stored measurements, show those with these IDs, or compare them."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.report import report

    arguments = device_arguments(options)
    with screen(as_json) as show:
        show.result(report(measurements, **arguments, **options, tell=show.tell))
