"""`edgeq targets`: list, show, check."""

from pathlib import Path

import click

from edgeq.cli.printable import echo, echo_json


class _Commands(click.Group):
    """A target in place of a command is answered with the command that prints it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from edgeq import catalog

        if args[0] not in self.commands and (args[0] in catalog.target_names() or args[0].endswith(".toml")):
            raise click.UsageError(
                f"there is no command {args[0]!r}; did you mean `edgeq targets show {args[0]}`?", ctx
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """The kinds of device edgeq knows; show one, or check a file of your own."""
    if ctx.invoked_subcommand is None:
        _print_targets(as_json)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_targets(as_json: bool) -> None:
    """List the kinds of device, as `edgeq targets` does."""
    _print_targets(as_json)


def _print_targets(as_json: bool) -> None:
    from edgeq import catalog

    targets = [catalog.target(name) for name in catalog.target_names()]
    if as_json:
        echo_json({"targets": [t.to_dict() for t in targets]})
        return
    rows = [("TARGET", "DEVICE", "CPU", "ARCH", "RUNTIMES")] + [
        (t.name, t.title, t.cpu.model, t.cpu.arch, ", ".join(r.name for r in t.runtimes)) for t in targets
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Print a target, NAME or a path: a file to start from for a board of your own."""
    from edgeq import catalog

    target = catalog.target(name)
    if as_json:
        echo_json(target.to_dict())
        return
    path = (
        Path(name) if name.endswith(".toml") or "/" in name else catalog.shipped("targets") / f"{name}.toml"
    )
    echo(path.read_text(encoding="utf-8"), nl=False)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, as_json: bool) -> None:
    """Check a target FILE of your own and list every problem."""
    from edgeq import catalog

    target = catalog.read_target(file)
    if as_json:
        echo_json({"ok": True, "target": target.to_dict()})
        return
    echo(f"{file}: ok ({target.title}; {', '.join(r.name for r in target.runtimes)})")
