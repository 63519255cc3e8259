"""`edgeq completion`: the shell's own completion script."""

import click

from edgeq.cli.printable import echo


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for your shell: eval "$(edgeq completion bash)"."""
    from click.shell_completion import get_completion_class

    from edgeq.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None, shell
    echo(kind(cli, {}, "edgeq", "_EDGEQ_COMPLETE").source())
