"""Keys that an ssh-agent holds, at the socket that IdentityAgent or $SSH_AUTH_SOCK names."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.agent import AgentSSH

_LISTS_WITHIN_S = 15.0
_SIGNS_WITHIN_S = 120.0  # a person may have to confirm (ssh-add -c), or to touch a token


class NoAgent(Exception):
    """Why no agent can be asked, in words for the list of what was tried."""


@contextmanager
def agent_keys(setting: str) -> Iterator[tuple[paramiko.AgentKey, ...]]:
    """`setting` is "none", "SSH_AUTH_SOCK" or a path. No agent at all has no keys, and that is no failure.

    Raises NoAgent where one is named that does not answer as an agent does.
    """
    path = os.environ.get("SSH_AUTH_SOCK", "") if setting == "SSH_AUTH_SOCK" else setting
    if not path or setting.lower() == "none":
        yield ()
        return
    agent = _connected(path)
    try:
        yield agent.get_keys()
    finally:
        agent.close()


def _connected(path: str) -> "_AgentAt":
    try:
        return _AgentAt(path)
    except (OSError, ValueError, paramiko.SSHException, EOFError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NoAgent(f"agent at {path}: {words or type(error).__name__}") from error


class _AgentAt(AgentSSH):
    """paramiko.Agent knows only $SSH_AUTH_SOCK."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(_LISTS_WITHIN_S)
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]
            connection.settimeout(_SIGNS_WITHIN_S)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        self._close()  # type: ignore[attr-defined]
