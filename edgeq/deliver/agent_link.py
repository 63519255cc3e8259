"""Calls the agent on one device: JSON in, JSON out, its errors made ours. Knows no command's meaning."""

import json
from dataclasses import dataclass
from typing import Any

from edgeq import errors
from edgeq.transport.base import Completed, Transport

# What a device without enough room for the answer itself would say is cut here.
_SHOWN = 600


@dataclass(frozen=True)
class AgentLink:
    """An agent that is in place: `path` is its archive on the device, `root` where edgeq's files live there."""

    transport: Transport
    python: str
    path: str
    root: str

    def call(self, command: str, payload: Any = None, *, timeout_s: float = 60.0) -> Any:
        """The agent's answer. Raises the DeviceError that the agent reports, RemoteFailed when it breaks itself."""
        words = (self.python, "-I", self.path, "--root", self.root, command)
        done = self.transport.run(words, stdin=encode(payload), timeout_s=timeout_s)
        return answer(done, command, self.transport.label)


def encode(payload: Any) -> bytes:
    return b"" if payload is None else json.dumps(payload).encode()


def answer(done: Completed, command: str, label: str) -> Any:
    """What the agent said, or its error raised."""
    try:
        said = json.loads(done.stdout)
    except ValueError:
        tail = (done.stderr or done.stdout).decode(errors="replace").strip()[-_SHOWN:]
        raise errors.RemoteFailed(
            f"the agent on {label} broke in `{command}` (exit code {done.code})",
            "run it again; if it stays, `edgeq doctor` shows what the device can do",
            details=tail.splitlines()[-8:],
        ) from None
    if done.code != 0:
        raise errors.from_dict(said.get("error") or {})
    return said
