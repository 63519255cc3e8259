"""The agent as a systemd service: installed, looked at, removed."""

import contextlib
from collections.abc import Iterator

from edgeq.deliver.service.find import find, require_installed, require_systemd
from edgeq.deliver.service.install import install, plan_install, remove
from edgeq.deliver.service.journal import read_log
from edgeq.deliver.service.look import Found
from edgeq.deliver.service.schedule import schedule
from edgeq.deliver.service.state import read_state
from edgeq.deliver.session import Session, requested_root, session_for
from edgeq.nouns.service import ServiceChange, ServiceLog, ServiceStatus
from edgeq.request.accepts import accepts
from edgeq.request.device_options import OnDevice
from edgeq.request.requests import (
    InstallServiceRequest,
    ServiceLogRequest,
    ServiceStatusRequest,
    UninstallServiceRequest,
)


@accepts(InstallServiceRequest)
def install_service(request: InstallServiceRequest) -> ServiceChange:
    """Install, or bring up to date, the units that do jobs as they arrive and measure what is live `every` so often.

    Whatever fails midway, what was done is taken back. Raises DeviceError, TargetRefused.
    """
    when = schedule(request.every)
    with _device(request, request.scope, dry_run=request.dry_run) as (device, found):
        plan = plan_install(device, found, when)
        return install(plan, device, request.tell, dry_run=request.dry_run)


@accepts(ServiceStatusRequest)
def service_status(request: ServiceStatusRequest) -> ServiceStatus:
    """The units, their last runs and the next one.

    Raises DeviceUnfit where no service is installed, TargetRefused where both are and no `scope` says which.
    """
    with _device(request, request.scope) as (device, found):
        require_installed(device, found)
        return read_state(device.link.transport, found)


@accepts(ServiceLogRequest)
def service_log(request: ServiceLogRequest) -> ServiceLog:
    """The last `lines` that the service wrote. Raises DeviceUnfit where none is installed."""
    with _device(request, request.scope) as (device, found):
        require_installed(device, found)
        return read_log(device.link.transport, found, request.lines)


@accepts(UninstallServiceRequest)
def uninstall_service(request: UninstallServiceRequest) -> ServiceChange:
    """Remove the units, the service's user and its folders. Models that live there stay, unless `everything`. `scope` None:
    whichever service there is. Raises TargetRefused for both.
    """
    everything, dry_run = request.everything, request.dry_run
    with _device(request, request.scope) as (device, found):
        return remove(device, found, request.tell, everything=everything, dry_run=dry_run)


@contextlib.contextmanager
def _device(
    request: OnDevice, scope: str | None, *, dry_run: bool = False
) -> Iterator[tuple[Session, Found]]:
    """The device, and what is there of the service. Raises DeviceUnfit without systemd, unless nothing is to be
    done: files and commands can be read anywhere.
    """
    with session_for(request, look_only=True) as device:
        if not dry_run:
            require_systemd(device)
        yield device, find(device, scope, requested_root(request))
