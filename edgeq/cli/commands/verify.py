"""`edgeq verify`: what another CPU will compute, shown on this machine."""

from pathlib import Path

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import VerifyRequest


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@options_for(VerifyRequest)
@json_option
def command(as_json: bool, **options: object) -> int:
    """Run a .edgeq BUNDLE on an emulated CPU (QEMU, no root): the accuracy to expect there, compared with this
    machine's outputs and with float. Exit code 20 where the gate refuses a candidate or none could be run.
    """
    from edgeq.cli.screen import screen
    from edgeq.errors import GateFailed
    from edgeq.workflow.verify import verify

    with screen(as_json) as show:
        verification = show.run(verify, **options)
        show.result(verification)
    return 0 if verification.passed else GateFailed.exit_code
