"""A real ssh-agent at a path, and keys for it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def agent_at(socket: Path) -> Iterator[Path]:
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it has said where it listens
        try:
            yield socket
        finally:
            child.terminate()


def add_key(socket: Path, key: Path) -> None:
    """With <key>-cert.pub where that is there."""
    subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(socket)})
