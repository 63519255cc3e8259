"""`edgeq agent`: the agent as a systemd service."""

import click

from edgeq.cli.options import json_option, options_for
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
def install(**options: object) -> None:
    """Install the service, or bring it up to date. Running it again changes nothing."""
    from edgeq.cli.screen import show
    from edgeq.workflow.service import install_service

    show(install_service, **options)


@command.command()
@options_for(ServiceStatusRequest)
@json_option
def status(**options: object) -> None:
    """The units, their last runs, the next one, and systemd's security rating."""
    from edgeq.cli.screen import show
    from edgeq.workflow.service import service_status

    show(service_status, **options)


@command.command()
@options_for(ServiceLogRequest)
@json_option
def logs(**options: object) -> None:
    """What the service wrote to the device's journal, oldest first."""
    from edgeq.cli.screen import show
    from edgeq.workflow.service import service_log

    show(service_log, **options)


@command.command()
@options_for(UninstallServiceRequest)
@json_option
def uninstall(**options: object) -> None:
    """Remove the service, its user and its folders. Models that live on the device stay."""
    from edgeq.cli.screen import show
    from edgeq.workflow.service import uninstall_service

    show(uninstall_service, **options)
