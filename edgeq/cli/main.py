"""The command line's frame: which commands there are, how errors are shown, which exit code they get.

Every command is a file in edgeq/cli/commands, imported only when it is asked for; none imports anything heavy before
it runs.
"""

import importlib
import sys
from collections.abc import Sequence

import click

from edgeq import __version__
from edgeq.cli.printable import echo, echo_json
from edgeq.errors import EdgeqError
from edgeq.limited.limits import limit_of_caller

_GROUPS = {
    "the product": {
        "deploy": "Quantize a model, race it on a device, make the fastest one that passes the gate live.",
        "convert": "Quantize a model for a target and write the bundle; needs no device.",
        "export": "Write the .tflite or .onnx file that an application loads, with example code.",
        "finetune": "Train a model's quantized network on your samples; deploy takes the weights it writes.",
        "data": "What the model will see of the samples, float's predictions, and what does not fit.",
        "explain": "How each layer is quantized, its error and the causes.",
        "verify": "Run a bundle on an emulated CPU: the accuracy to expect there.",
        "bench": "Measure what is live on a device, or several bundles against each other.",
    },
    "on a device": {
        "status": "What is live and how fast it is; the agent, the disk, the service.",
        "rollback": "Make the release before the live one live again.",
        "report": "List, show or compare stored measurements.",
        "doctor": "Check this machine or a device: each finding with its remedy.",
        "agent": "Install the agent as a systemd service on a device, show it, remove it.",
        "uninstall": "Remove a model, or everything of edgeq, from a device.",
    },
    "to start with": {
        "demo": "Deploy a small CNN to this machine and print what was measured.",
        "init": "Write edgeq.toml next to your model.",
        "targets": "List the kinds of device that edgeq knows; show or check one.",
        "completion": "Print the completion script for your shell.",
    },
}
"""What `edgeq --help` says of each command, without importing one: that would take as long as all the rest of it."""

_EPILOG = (
    "Start with `edgeq demo`, then `edgeq init` next to your model, then `edgeq doctor --host pi@10.0.0.5`."
)


_MODELS = (".onnx", ".tflite", ".pt2", ".edgeq")


class Commands(click.Group):
    """Finds a command by its file; an unknown one is answered with the nearest, a model with the command that takes it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in _GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"edgeq.cli.commands.{name}")
        command: click.Command = getattr(module, "command")  # noqa: B009
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        near = [f"`edgeq {name}`" for name in get_close_matches(args[0], known)]
        if args[0].endswith(_MODELS) or ".py:" in args[0]:
            near = [f"`edgeq deploy {args[0]}`"]
        meant = f"did you mean {' or '.join(near)}?" if near else "`edgeq --help` lists them."
        raise click.UsageError(f"there is no command {args[0]!r}; {meant}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(names.items()))


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_EPILOG,
)
@click.version_option(__version__, "-V", "--version", message="edgeq %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Quantize a trained model, compare it with float and deploy it to your edge device.

    edgeq takes a torch, ONNX or TFLite model, quantizes it for a target and sends it over SSH. An agent on the device
    measures it there against the float model.
    """
    if ctx.invoked_subcommand is None:
        echo(
            f"edgeq {__version__}: quantizes a trained model, compares it with float and deploys it to your edge device.\n"
        )
        echo("  edgeq demo      a small model, deployed to this machine and measured, in seconds")
        echo("  edgeq init      write edgeq.toml next to your own model")
        echo("  edgeq doctor    what this machine, or --host pi@10.0.0.5, can do and lacks")
        echo("\n`edgeq --help` lists everything.")


def run(args: Sequence[str] | None = None) -> int:
    """The exit code. Errors go to stderr in words, or to stdout as JSON where --json was asked for."""
    words = list(sys.argv[1:] if args is None else args)
    as_json = "--json" in words
    try:
        code = cli.main(args=words, prog_name="edgeq", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except EdgeqError as error:
        show_error(error, as_json=as_json)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        if as_json:
            _show_document(_as_document(error))
        else:
            error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo("\ninterrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`); what is buffered has nowhere to go.
        sys.stdout = None
        return 141
    except MemoryError:
        plain = _out_of_memory()
    except OSError as error:  # this machine's own disk or folders; a device's are DeviceErrors long before
        where = f"{error.filename}: " if error.filename else ""
        plain = EdgeqError(
            f"{where}{error.strerror or error}", "this error is about this machine, not a device"
        )
    show_error(plain, as_json=as_json)
    return plain.exit_code


def _out_of_memory() -> EdgeqError:
    """Of this machine, or of what whoever started this process lets it have."""
    limit, fewer = limit_of_caller(), "use fewer or smaller samples"
    if limit:
        return EdgeqError(f"this process needs more memory than its limit, {limit}", f"raise it, or {fewer}")
    return EdgeqError("this machine does not have enough memory", f"{fewer}, or a machine with more memory")


def _as_document(error: click.ClickException) -> dict[str, object]:
    """A wrong command line in the words of every other error."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "edgeq"
    plain = EdgeqError(error.format_message(), f"see `{command} --help`").to_dict()
    return plain | {"kind": type(error).__name__, "exit_code": error.exit_code}


def _show_document(error: dict[str, object]) -> None:
    echo_json({"error": error})


def show_error(error: EdgeqError, *, as_json: bool) -> None:
    """What went wrong, the details, what to do now, and what is live. Lines that are in a text already are indented: words of
    a device are no line of edgeq's.
    """
    if as_json:
        _show_document(error.to_dict())
        return
    echo(f"error: {_indented(error.what)}", err=True)
    for line in (*error.details, error.remedy, f"Live: {error.live}" if error.live else None):
        if line:
            echo(f"  {_indented(line)}", err=True)


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
