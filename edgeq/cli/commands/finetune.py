"""`edgeq finetune`: quantization-aware training."""

import click

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.request.requests import FinetuneRequest


@click.command()
@options_for(FinetuneRequest)
@verbose_option
@json_option
def command(**options: object) -> int:
    """Train the network that MODEL becomes on a target, in the integers that the device computes with, and write its weights.

    It starts from post-training quantization and learns to give float's outputs, with labels or without. `edgeq deploy MODEL
    --weights FILE` makes one more candidate of it. Ctrl-C keeps the best so far, and the same command goes on from there.
    """
    from edgeq.cli.screen import show
    from edgeq.workflow.finetune import finetune

    return show(finetune, **options).exit_code
