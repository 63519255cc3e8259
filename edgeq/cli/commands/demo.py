"""`edgeq demo`: the whole line on this machine, in seconds."""

import click

from edgeq.cli.options import json_option, verbose_option


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(0.5), default=10.0, show_default=True, help="Measuring time."
)
@verbose_option
@json_option
def command(**options: object) -> None:
    """Deploy a small CNN for handwritten digits to this machine and print what was measured."""
    from edgeq.cli.screen import show
    from edgeq.demo import demo_files
    from edgeq.workflow.deploy import deploy

    model, data = demo_files()
    show(
        deploy,
        str(model),
        data=str(data),
        name="digits",
        runtime="onnxruntime",  # LiteRT would first fetch 100 MB, to convert
        measure_again=True,
        **options,
    )
