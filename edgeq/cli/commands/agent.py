"""`edgeq agent`: the agent as a systemd service."""

import click

from edgeq.cli.options import asks_password, json_option, options_for
from edgeq.request.requests import (
    InstallServiceRequest,
    ServiceLogRequest,
    ServiceStatusRequest,
    UninstallServiceRequest,
)


@click.group(name="agent")
def command() -> None:
    """Install the agent as a systemd service on a device, show it, remove it (docs/service.md)."""


@command.command()
@options_for(InstallServiceRequest)
@json_option
def install(as_json: bool, **options: object) -> None:
    """Install the service, or bring it up to date. Running it again changes nothing."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import install_service

    with screen(as_json) as show:
        show.result(show.run(install_service, **options, ask_password=asks_password()))


@command.command()
@options_for(ServiceStatusRequest)
@json_option
def status(as_json: bool, **options: object) -> None:
    """The units, their last runs, the next one, and systemd's security rating."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import service_status

    with screen(as_json) as show:
        show.result(show.run(service_status, **options, ask_password=asks_password()))


@command.command()
@options_for(ServiceLogRequest)
@json_option
def logs(as_json: bool, **options: object) -> None:
    """What the service wrote to the device's journal, oldest first."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import service_log

    with screen(as_json) as show:
        show.result(show.run(service_log, **options, ask_password=asks_password()))


@command.command()
@options_for(UninstallServiceRequest)
@json_option
def uninstall(as_json: bool, **options: object) -> None:
    """Remove the service, its user and its folders. Models that live on the device stay."""
    from edgeq.cli.screen import screen
    from edgeq.workflow.service import uninstall_service

    with screen(as_json) as show:
        show.result(show.run(uninstall_service, **options, ask_password=asks_password()))
