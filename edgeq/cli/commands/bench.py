"""`edgeq bench`: measurements without a deployment."""

import click

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.request.requests import BenchRequest


@click.command()
@options_for(BenchRequest)
@verbose_option
@json_option
def command(what: tuple[str, ...], **options: object) -> int:
    """Measure what is live on the device, or .edgeq bundles against each other, interleaved. Activates nothing."""
    from edgeq.cli.screen import show
    from edgeq.workflow.bench import bench

    return show(bench, *what, **options).exit_code
