"""`edgeq verify`: what another CPU will compute, shown on this machine."""

from pathlib import Path
from typing import Any

import click

from edgeq.cli.options import gate_options, json_option, project_option


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--emulate",
    required=True,
    metavar="TARGET",
    help="Whose CPU: x86-64 (AVX2 without VNNI), rpi4, rpi5, rpi3 ..., or a .toml with cpu.qemu.",
)
@click.option(
    "--data",
    metavar="SPEC",
    help="Labelled samples of your own, as in `convert`; default: those that the bundle carries.",
)
@click.option(
    "--preprocess", metavar="SPEC", help="For images, as in `convert`; default: what the bundle says."
)
@click.option(
    "--calibrate",
    type=click.IntRange(1),
    help="How many of --data calibrated the bundle, if you said so then.",
)
@click.option(
    "--samples", type=click.IntRange(1), help="How many to run there; default: what a minute allows."
)
@click.option(
    "--candidate",
    "candidates",
    multiple=True,
    metavar="ID",
    help="Only this one, such as onnxruntime-int8_static; repeatable.",
)
@click.option(
    "--rootfs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A file system of the target's architecture with python3; default: the one in edgeq's cache.",
)
@gate_options
@project_option
@json_option
def command(project: Path | None, as_json: bool, **options: Any) -> int:
    """Run a .edgeq BUNDLE on an emulated CPU (QEMU, no root): the accuracy that it will have there, held against this
    machine's answers and against float. Exit code 20 where the gate refuses a candidate or none could be run.
    """
    from edgeq.cli.options import gates_of
    from edgeq.cli.screen import screen
    from edgeq.errors import GateFailed
    from edgeq.project import project_here
    from edgeq.workflow.verify import verify

    gates = gates_of(options, project_here(project).gates)
    with screen(as_json) as show:
        verification = verify(**options, gates=gates, tell=show.tell)
        show.result(verification)
    return 0 if verification.passed else GateFailed.exit_code
