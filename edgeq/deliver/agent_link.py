"""Calls the agent on one device: JSON in, JSON out, its errors made ours.

Of the commands it knows only which may be asked twice, because their first answer can get lost with the connection.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq import errors
from edgeq.deliver.printable import printable
from edgeq.transport.base import Completed, Transport

# Done twice they leave the same as done once, and the second waits for the first (docs/protocol.md). Not `lock`, whose
# token is the answer, and not `rollback`, which the second time leads forward again.
_TWICE = (
    *("facts", "probe", "status", "inventory", "remembered", "results", "result"),
    *("unpack", "samples", "install", "work", "activate", "discard", "sweep", "unlock"),
)

# Runs an agent that is not installed, so that looking at a device (status, doctor, --dry-run) leaves nothing on it.
_LEND = """
import base64, os, shutil, subprocess, sys, tempfile
folder = tempfile.mkdtemp(prefix="edgeq-")
try:
    path = os.path.join(folder, sys.argv[1])
    with open(path, "wb") as file:
        file.write(base64.b64decode(sys.stdin.buffer.readline()))
    sys.exit(subprocess.run([sys.executable, "-I", path] + sys.argv[2:], input=sys.stdin.buffer.read()).returncode)
finally:
    shutil.rmtree(folder, ignore_errors=True)
"""

# What a device without enough room for the answer itself would say is cut here.
_SHOWN = 600


@dataclass(frozen=True)
class AgentLink:
    """An agent on a device: `path` is its archive there, `root` where edgeq's files live there.

    `lent`: the archive on this host of an agent that is not there and comes along with each call.
    """

    transport: Transport
    python: str
    path: str
    root: str
    lent: Path | None = None

    def call(self, command: str, payload: Any = None, *, timeout_s: float = 60.0) -> Any:
        """The agent's answer. Raises the DeviceError that the agent reports, RemoteFailed when it breaks itself, LinkLost
        when the connection broke and the command may not be asked twice, or broke twice.
        """
        try:
            done = self._run(command, payload, timeout_s)
        except errors.LinkLost:
            if command not in _TWICE:
                raise
            done = self._run(command, payload, timeout_s)
        return answer(done, command, self.transport.label)

    def _run(self, command: str, payload: Any, timeout_s: float) -> Completed:
        words: tuple[str, ...] = (self.python, "-I", self.path)
        body = encode(payload)
        if self.lent is not None:
            words = (self.python, "-I", "-c", _LEND, self.lent.name)
            body = base64.b64encode(self.lent.read_bytes()) + b"\n" + body
        return self.transport.run((*words, "--root", self.root, command), stdin=body, timeout_s=timeout_s)


def encode(payload: Any) -> bytes:
    return b"" if payload is None else json.dumps(payload).encode()


def answer(done: Completed, command: str, label: str) -> Any:
    """What the agent said, or its error raised; without control characters."""
    try:
        said = printable(json.loads(done.stdout))
    except ValueError:
        tail = printable((done.stderr or done.stdout).decode(errors="replace").strip()[-_SHOWN:])
        raise errors.RemoteFailed(
            f"the agent on {label} broke in `{command}` (exit code {done.code})",
            "run it again; if it stays, `edgeq doctor` shows what the device can do",
            details=tail.splitlines()[-8:],
        ) from None
    if done.code != 0:
        error = errors.from_dict(said.get("error") or {})
        error.what = f"{label}: {error.what}"  # the device does not know how it is called here
        raise error
    return said
