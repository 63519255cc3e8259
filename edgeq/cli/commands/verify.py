"""`edgeq verify`: what another CPU will compute, shown on this machine."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import VerifyRequest


@click.command()
@options_for(VerifyRequest)
@json_option
def command(**options: object) -> int:
    """Run a .edgeq BUNDLE on an emulated CPU (QEMU, no root): the accuracy to expect there, compared with this
    machine's outputs and with float. Exit code 20 where the gate refuses a candidate or none could be run.
    """
    from edgeq.cli.screen import show
    from edgeq.errors import GateFailed
    from edgeq.workflow.verify import verify

    return 0 if show(verify, **options).passed else GateFailed.exit_code
