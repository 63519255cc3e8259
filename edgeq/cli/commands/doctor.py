"""`edgeq doctor`: findings with remedies."""

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import DoctorRequest


@click.command()
@options_for(DoctorRequest)
@json_option
def command(as_json: bool, **options: object) -> int:
    """Check this machine, and --host where one is named: each finding with its remedy. Changes nothing.

    The exit code is 1 when something is found that keeps edgeq from working.
    """
    from edgeq.cli.screen import screen
    from edgeq.workflow.doctor import doctor

    with screen(as_json) as show:
        diagnosis = show.run(doctor, **options, ask_password=asks_password())
        show.result(diagnosis)
    return diagnosis.exit_code
