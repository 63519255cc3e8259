"""`edgeq explain`: the quantization plan layer by layer, with reasons."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import ExplainRequest


@click.command()
@options_for(ExplainRequest)
@json_option
def command(**options: object) -> int:
    """Print for each layer of MODEL (or of a .edgeq bundle) how it is quantized for a target, its error and the causes,
    and what was done about it. Exit code 20 where the gate refuses the model, which is explained nevertheless.
    """
    from edgeq.cli.screen import show
    from edgeq.errors import GateFailed
    from edgeq.workflow.explain import explain

    return GateFailed.exit_code if show(explain, **options).refused else 0
