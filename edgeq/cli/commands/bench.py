"""`edgeq bench`: measurements without a deployment."""

import click

from edgeq.cli.options import asks_password, json_option, options_for, verbose_option
from edgeq.request.requests import BenchRequest


@click.command()
@click.argument("what", nargs=-1, metavar="[NAME | BUNDLE]...")
@options_for(BenchRequest)
@verbose_option
@json_option
def command(what: tuple[str, ...], verbose: bool, as_json: bool, **options: object) -> int:
    """Measure what is live on the device, or .edgeq bundles against each other, interleaved. Activates nothing."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.bench import bench

    with screen(as_json, verbose) as show:
        benched = show.run(bench, *what, **options, ask_password=asks_password())
        show.result(benched)
    return benched.exit_code
