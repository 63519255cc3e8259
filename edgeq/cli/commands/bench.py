"""`edgeq bench`: measurements without a deployment."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option, seconds_option, store_option


@click.command()
@click.argument("what", nargs=-1, metavar="[NAME | BUNDLE]...")
@device_options
@seconds_option(30.0)
@click.option("--threads", type=click.IntRange(1), help="Threads the runtime may use; default: the target's.")
@store_option
@json_option
def command(what: tuple[str, ...], seconds: float, as_json: bool, **options: Any) -> int:
    """Measure what is live on the device, or .edgeq bundles against each other, interleaved. Activates nothing."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.nouns.job import Limits
    from edgeq.workflow.bench import bench

    arguments = device_arguments(options)
    with screen(as_json) as show:
        benched = bench(*what, **arguments, **options, limits=Limits(seconds=seconds), tell=show.tell)
        show.result(benched)
    return benched.exit_code
