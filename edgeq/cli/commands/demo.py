"""`edgeq demo`: the whole line on this machine, in seconds."""

import click

from edgeq.cli.options import json_option, verbose_option


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(0.5), default=10.0, show_default=True, help="Measuring time."
)
@verbose_option
@json_option
def command(seconds: float, verbose: bool, as_json: bool) -> None:
    """Deploy a small CNN for handwritten digits to this machine and print what was measured."""
    from edgeq.cli.screen import screen
    from edgeq.demo import demo_files
    from edgeq.workflow.deploy import deploy

    model, data = demo_files()
    with screen(as_json, verbose) as show:
        deployment = deploy(
            str(model),
            data=str(data),
            name="digits",
            runtime="onnxruntime",  # LiteRT would first fetch 100 MB, to convert
            seconds=seconds,
            measure_again=True,
            tell=show.tell,
        )
        show.result(deployment)
