"""Calls the agent on one device: JSON in, its answer as a data class out, its errors as edgeq's.

Of the commands it knows only which may be asked twice, because their first answer can get lost with the connection.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq import errors
from edgeq.deliver.device_answer import agent_answer
from edgeq.transport.base import Completed, Transport

# Done twice they leave the same as done once, and the second waits for the first (docs/protocol.md). Not `lock`, whose
# token is the answer, and not `rollback`, which the second time leads forward again.
_TWICE = (
    *("facts", "probe", "status", "inventory", "remembered", "results", "result", "contract"),
    *("unpack", "samples", "expand", "install", "work", "activate", "discard", "sweep", "unlock"),
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

    def call(
        self, command: str, payload: Mapping[str, object] | None = None, *, timeout_s: float = 60.0
    ) -> Any:
        """The agent's answer, as the class that device_answer.ANSWERS has for it. Raises the DeviceError that the agent reports,
        RemoteFailed when it breaks itself, LinkLost when the connection broke and the command may not be asked twice, or broke
        twice.
        """
        try:
            done = self._run(command, payload, timeout_s)
        except errors.LinkLost:
            if command not in _TWICE:
                raise
            done = self._run(command, payload, timeout_s)
        return agent_answer(done, command, self.transport.label)

    def _run(self, command: str, payload: Mapping[str, object] | None, timeout_s: float) -> Completed:
        words: tuple[str, ...] = (self.python, "-I", self.path)
        body = b"" if payload is None else json.dumps(payload).encode()
        if self.lent is not None:
            words = (self.python, "-I", "-c", _LEND, self.lent.name)
            body = base64.b64encode(self.lent.read_bytes()) + b"\n" + body
        return self.transport.run((*words, "--root", self.root, command), stdin=body, timeout_s=timeout_s)
