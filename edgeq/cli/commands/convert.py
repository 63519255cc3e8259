"""`edgeq convert`: a bundle without a device."""

from typing import Any

import click

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.model_name import model_name
from edgeq.workflow.requests import ConvertRequest
from edgeq.workflow.takes import keywords


@click.command()
@click.argument("model", required=False)
@options_for(ConvertRequest)
@verbose_option
@json_option
def command(verbose: bool, as_json: bool, **options: Any) -> int:
    """Quantize MODEL for a target and write the bundle, judged against float; no device is needed."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.convert import convert
    from edgeq.workflow.settled import settled

    with screen(as_json, verbose) as show:
        asked = settled(ConvertRequest(**options, tell=show.tell))
        output = asked.output or f"{asked.name or model_name(str(asked.model))}.edgeq"
        show.result(convert(**keywords(asked, ConvertRequest) | {"output": output}))
    return 0
