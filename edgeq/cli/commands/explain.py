"""`edgeq explain`: the quantization plan layer by layer, with reasons."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import ExplainRequest


@click.command()
@click.argument("model", required=False)
@options_for(ExplainRequest)
@json_option
def command(as_json: bool, **options: object) -> int:
    """Say of each layer of MODEL (or of a .edgeq bundle) how it is quantized for a target, what that loses and why, and
    what was done about it. Exit code 20 where the gate refuses the model, which is explained all the same.
    """
    from edgeq.cli.screen import screen
    from edgeq.errors import GateFailed
    from edgeq.workflow.explain import explain

    with screen(as_json) as show:
        explained = show.run(explain, **options)
        show.result(explained)
    return GateFailed.exit_code if explained.refused else 0
