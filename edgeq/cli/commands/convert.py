"""`edgeq convert`: a bundle, or the files of an application, without a device."""

from typing import Any

import click
from click.core import ParameterSource

from edgeq.cli.options import json_option, options_for, verbose_option
from edgeq.model_name import model_name
from edgeq.request.accepts import keywords
from edgeq.request.requests import ConvertRequest, ExportRequest


@click.command()
@options_for(ConvertRequest)
@verbose_option
@json_option
def command(verbose: bool, as_json: bool, **options: Any) -> None:
    """Quantize MODEL for a target, compare it with float and write the bundle; no device is needed.

    With -o x.tflite, x.onnx or DIR/ it writes the files of `edgeq export`.
    """
    from edgeq.cli.screen import screen
    from edgeq.request.resolved import resolved
    from edgeq.workflow.convert import convert
    from edgeq.workflow.export import export

    with screen(as_json, verbose) as shown:
        request = resolved(ConvertRequest(**options, tell=shown.tell))
        output = request.output or f"{request.name or model_name(str(request.model))}.edgeq"
        if str(output).endswith(".edgeq"):
            shown.result(convert(**keywords(request, ConvertRequest) | {"output": output}))
        else:
            source = click.get_current_context().get_parameter_source("target")
            target = None if source == ParameterSource.DEFAULT else request.target
            shown.result(export(**keywords(request, ExportRequest) | {"output": output, "target": target}))
