"""`edgeq data`: the samples as the model gets them."""

import click

from edgeq.cli.options import json_option, options_for
from edgeq.request.requests import DataRequest


@click.command()
@options_for(DataRequest)
@json_option
def command(**options: object) -> int:
    """Show what MODEL will see of the samples: shape, layout, range, mean and std, labels, and the float model's predictions; warn
    where they do not fit the model. Nothing is converted. Exit code 11 where another command would refuse the samples.
    """
    from edgeq.cli.screen import show
    from edgeq.errors import DataRefused
    from edgeq.workflow.data import data

    return DataRefused.exit_code if show(data, **options).refused else 0
