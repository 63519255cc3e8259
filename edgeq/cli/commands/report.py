"""`edgeq report`: what was measured before."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import ReportRequest


@click.command()
@options_for(ReportRequest)
@json_option
def command(measurements: tuple[str, ...], **options: object) -> None:
    """List the stored measurements of all devices, show those with these NUMBERs, or compare them. --host and --target name the
    device of --fetch; they do not filter the list.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.report import report

    show(report, *measurements, **options)
