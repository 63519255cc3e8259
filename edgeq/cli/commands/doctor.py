"""`edgeq doctor`: findings with remedies."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option


@click.command()
@device_options
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Check this machine, and --host where one is named: each finding with its remedy. Changes nothing.

    The exit code is 1 when something is found that keeps edgeq from working.
    """
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.doctor import doctor

    with screen(as_json) as show:
        diagnosis = doctor(**device_arguments(options), tell=show.tell)
        show.result(diagnosis)
    return diagnosis.exit_code
