"""`edgeq report`: what was measured before."""

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import ReportRequest


@click.command()
@click.argument("measurements", nargs=-1, metavar="[NUMBER]...")
@options_for(ReportRequest)
@json_option
def command(measurements: tuple[str, ...], as_json: bool, **options: object) -> None:
    """List the stored measurements of all devices, show those with these NUMBERs, or compare them. --host and --target name the
    device of --fetch; they do not filter the list.
    """
    from edgeq.cli.screen import screen
    from edgeq.workflow.report import report

    with screen(as_json) as show:
        show.result(show.run(report, *measurements, **options, ask_password=asks_password()))
