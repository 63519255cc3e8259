"""Asks the installed OpenSSH client which settings it would use for a host: what `ssh -G` prints.

Match, Include, CanonicalizeHostname and whatever a later version adds are OpenSSH's business then. Knows nothing of
what the settings mean.
"""

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import Unreachable

from .host_address import Address

# Keywords in lower case; one text per line that was printed for it (IdentityFile may have several).
Settings = Mapping[str, tuple[str, ...]]

_VERSION = re.compile(r"(OpenSSH(?:_for_Windows)?_(\d+)\.(\d+)\S*?)(?:[,\s]|$)")
_FIRST_WITH_G = (6, 8)
WITHIN_S = 30.0  # name resolution (CanonicalizeHostname) and commands (Match exec) take their time


@dataclass(frozen=True)
class OpensshClient:
    """`config` replaces the user's and the system's configuration, as with `ssh -F`. `home` is what ~ stands for: the
    home in the user database, since OpenSSH does not read $HOME. An answer has to come within `within_s` seconds.
    """

    program: str
    version: str
    config: Path | None
    home: Path
    within_s: float = WITHIN_S

    def settings(self, address: Address) -> Settings:
        """Raises Unreachable with ssh's own words where it refuses the host or the configuration."""
        command = self._command(address)
        code, printed, errors = _run([self.program, *command[1:]], address.host, self.within_s)
        if code != 0:
            raise _refused(address.host, shlex.join(command), errors)
        found: dict[str, list[str]] = {}
        for line in printed.splitlines():
            keyword, _, value = line.partition(" ")
            found.setdefault(keyword, []).append(value)
        return {keyword: tuple(values) for keyword, values in found.items()}

    def source(self, address: Address) -> str:
        return f"`{shlex.join(self._command(address))}` ({self.version})"

    def _command(self, address: Address) -> list[str]:
        """The words as they were typed; -T, since there is no terminal, and -- before a name that could be an option."""
        return [
            *("ssh", "-G", "-T"),
            *(("-F", str(self.config.absolute())) if self.config else ()),
            *(("-l", address.user) if address.user is not None else ()),
            *(("-p", str(address.port)) if address.port is not None else ()),
            *("--", address.host),
        ]


def find_client(config: Path | None, on_note: Callable[[str], None]) -> OpensshClient | None:
    """None where no `ssh` is installed, or none that can be asked; then a note says why."""
    program = shutil.which("ssh")
    if program is None:
        return None
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        on_note(f"{program} is not asked: user number {os.getuid()} has no name here, and ssh needs one")
        return None
    version = _version(program)
    if version is None:
        on_note(f"{program} is not asked: it is no OpenSSH from {'.'.join(map(str, _FIRST_WITH_G))} on")
        return None
    return OpensshClient(program, version, config, home)


def _version(program: str) -> str | None:
    _, printed, errors = _run([program, "-V"], "its version", WITHIN_S)
    found = _VERSION.search(printed + errors)
    if found is None or (int(found[2]), int(found[3])) < _FIRST_WITH_G:
        return None
    return found[1]


def _run(command: list[str], about: str, within_s: float) -> tuple[int, str, str]:
    """In a session of its own: what a Match exec started ends with it. Raises Unreachable past the time limit."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        printed, errors = child.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"ssh gave no answer about {about} within {within_s:g} s: {shlex.join(command)}",
            "run that command by hand; a Match exec or a name server that does not answer is the likely cause",
        ) from None
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
    return child.returncode, os.fsdecode(printed), os.fsdecode(errors)


def _refused(host: str, command: str, errors: str) -> Unreachable:
    said = [line.strip() for line in errors.splitlines() if line.strip()]
    return Unreachable(
        f"`ssh -G` fails for {host}: {'; '.join(said[:2]) or 'it gives no reason'}",
        f"correct the name or the ssh configuration until this prints settings: {command}",
        details=said[2:],
    )
