"""`edgeq agent`: the agent as a systemd service."""

from typing import Any

import click

from edgeq.cli.options import device_options, json_option

_SCOPE = click.Choice(["system", "user"])


@click.group(name="agent")
def command() -> None:
    """Make the agent a systemd service on a device, look at it, remove it (docs/service.md)."""


@command.command()
@device_options
@click.option(
    "--scope",
    type=_SCOPE,
    default="system",
    show_default=True,
    help="system: as user edgeq, hardened, needs sudo; user: as the login, no root needed.",
)
@click.option(
    "--every",
    metavar="TIME",
    default="1h",
    show_default=True,
    help="How often what is live is measured: 15min, 1h, 6h, 1d ...",
)
@click.option(
    "--dry-run", is_flag=True, help="Print every file with its content and every command; change nothing."
)
@json_option
def install(scope: str, every: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Install the service, or bring it up to date. Running it again changes nothing."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import install_service

    with screen(as_json) as show:
        show.result(
            install_service(
                **device_arguments(options), scope=scope, every=every, dry_run=dry_run, tell=show.tell
            )
        )


@command.command()
@device_options
@click.option("--scope", type=_SCOPE, help="Which service; default: the one that is there.")
@json_option
def status(scope: str | None, as_json: bool, **options: Any) -> None:
    """The units, their last runs, the next one, how exposed they are."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import service_status

    with screen(as_json) as show:
        show.result(service_status(**device_arguments(options), scope=scope, tell=show.tell))


@command.command()
@device_options
@click.option("--scope", type=_SCOPE, help="Which service; default: the one that is there.")
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="How many lines.",
)
@json_option
def logs(scope: str | None, count: int, as_json: bool, **options: Any) -> None:
    """What the service wrote to the device's journal, oldest first."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import service_log

    with screen(as_json) as show:
        show.result(service_log(**device_arguments(options), scope=scope, count=count, tell=show.tell))


@command.command()
@device_options
@click.option("--scope", type=_SCOPE, help="Which service; default: the one that is there.")
@click.option("--everything", is_flag=True, help="Also what is deployed: the whole folder.")
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@json_option
def uninstall(scope: str | None, everything: bool, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Remove the service, its user and its folders. Models that live on the device stay."""
    from edgeq.cli.options import device_arguments
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import uninstall_service

    with screen(as_json) as show:
        show.result(
            uninstall_service(
                **device_arguments(options),
                scope=scope,
                everything=everything,
                dry_run=dry_run,
                tell=show.tell,
            )
        )
