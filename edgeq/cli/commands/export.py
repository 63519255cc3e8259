"""`edgeq export`: the files that an application loads, without a device."""

import click

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.request.requests import ExportRequest


@click.command()
@options_for(ExportRequest)
@verbose_option
@json_option
def command(**options: object) -> None:
    """Write the file that an application loads: MODEL (or a .edgeq bundle) quantized for a target, with contract.json, which
    describes its inputs and outputs, and a complete example of code that runs it. No device is needed.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.export import export

    show(export, **options)
