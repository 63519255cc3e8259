"""`edgeq doctor`: findings with remedies."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import DoctorRequest


@click.command()
@options_for(DoctorRequest)
@json_option
def command(**options: object) -> int:
    """Check this machine, and --host where one is named: each finding with its remedy. Changes nothing.

    The exit code is 1 when something is found that keeps edgeq from working.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.doctor import doctor

    return show(doctor, **options).exit_code
