"""Holds the device's lock while something is changed there, and keeps its lease alive through long steps."""

import contextlib
import getpass
import os
import socket
import threading
from collections.abc import Iterator

from edgeq.deliver.agent_link import AgentLink
from edgeq.errors import DeviceError
from edgeq.transport.local import LocalTransport

LEASE_S = 120
_RENEW_S = 40


@contextlib.contextmanager
def locked(link: AgentLink, what: str) -> Iterator[str]:
    """The token to show with every changing command. Raises DeviceBusy, which names who holds the lock.

    The lease is renewed beside long uploads; a host that dies leaves the device locked for LEASE_S at most, and this
    machine not at all.
    """
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    request: dict[str, object] = {"who": who, "what": what, "lease_s": LEASE_S}
    if isinstance(link.transport, LocalTransport):  # where the device itself can see whether we live
        request["pid"] = os.getpid()
    token: str = link.call("lock", request).token
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(link, token, done), daemon=True)
    keeper.start()
    failure: DeviceError | None = None
    try:
        yield token
    except DeviceError as error:
        failure = error
        raise
    finally:
        done.set()
        if not _unlocked(link, token) and failure is not None:
            held = f"the lock on the device expires after {LEASE_S} s at most"
            failure.details = (*failure.details, held)


def _unlocked(link: AgentLink, token: str) -> bool:
    """A broken link must not hide the error that broke it; the lease ends by itself. Ctrl-C in this very step gives the
    device back all the same.
    """
    try:
        try:
            link.call("unlock", {"token": token}, timeout_s=20)
        except KeyboardInterrupt:
            link.call("unlock", {"token": token}, timeout_s=20)
            raise
    except DeviceError:
        return False
    return True


def _keep(link: AgentLink, token: str, done: threading.Event) -> None:
    while not done.wait(_RENEW_S):
        with contextlib.suppress(DeviceError):
            link.call("lock", {"token": token, "lease_s": LEASE_S}, timeout_s=20)
