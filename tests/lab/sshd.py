"""A real OpenSSH server on 127.0.0.1 for tests: its own port, configuration and keys, a child of the test process.

Works as root and as a plain user (who then can only be logged into as himself, by key). Installs nothing: Debian's
openssh-server has to be there. As root, passwords can be tried with a throw-away user.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)
READY_WITHIN_S = 10.0
OWN_ENVIRONMENT = "SHLVL=2"  # else bash reads the .bashrc of whoever runs the tests


def missing() -> str | None:
    """Why no sshd can be started here, or None."""
    for program in ("sshd", "ssh-keygen"):
        if find(program) is None:
            return f"{program} is not installed (apt install openssh-server)"
    return None


def find(program: str) -> str | None:
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Sshd:
    """A server that answers. `identity` is a private key that it accepts for `user`."""

    port: int
    folder: Path
    identity: Path
    user: str = field(default_factory=getpass.getuser)
    host: str = "127.0.0.1"

    @property
    def address(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"

    @property
    def known_hosts_line(self) -> str:
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"[{self.host}]:{self.port} {kind} {key}\n"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")


@contextlib.contextmanager
def running(
    *,
    options: Mapping[str, str] | None = None,
    sftp: bool = True,
    host_key: str = "ed25519",
    user: str | None = None,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Sshd]:
    """`options` are lines of sshd_config and win over what stands here, "{folder}" in them is the server's own;
    `port` is given to come back on an old one."""
    folder = Path(tempfile.mkdtemp(prefix="edgeq-sshd-"))
    folder.chmod(0o755)  # another user's authorized_keys are read with that user's rights
    try:
        make_key(folder / "host_key", host_key)
        make_key(folder / "identity")
        (folder / "authorized_keys").write_bytes((folder / "identity.pub").read_bytes())
        port = port or free_port()
        configuration = folder / "sshd_config"
        text = _configuration(folder, port, sftp, options or {})
        configuration.write_text(text.replace("{folder}", str(folder)))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(
                exist_ok=True
            )  # privilege separation wants it; systemd would have made it
        child = _start(configuration, folder, environment)
        try:
            _await_greeting(child, port, folder)
            yield Sshd(port, folder, folder / "identity", user or getpass.getuser())
        finally:
            _end(child)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def throw_away_user(password: str) -> Iterator[str]:
    """A local user with that password; root only."""
    name = f"edgeq-{uuid.uuid4().hex[:8]}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, capture_output=True)
    try:
        subprocess.run(["chpasswd"], input=f"{name}:{password}\n", text=True, check=True, capture_output=True)
        yield name
    finally:
        subprocess.run(["userdel", "--remove", "--force", name], check=False, capture_output=True)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)], check=True
    )
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configuration(folder: Path, port: int, sftp: bool, options: Mapping[str, str]) -> str:
    lines = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": f"{folder}/host_key",
        "AuthorizedKeysFile": f"{folder}/authorized_keys",
        "PidFile": "none",
        "StrictModes": "no",  # the keys lie in a temporary folder
        "PermitRootLogin": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "UsePAM": "no",
        "UseDNS": "no",
        "MaxStartups": "100",
        "SetEnv": OWN_ENVIRONMENT,
        "LogLevel": "VERBOSE",
        "PrintMotd": "no",
    }
    if sftp:
        server = next((p for p in SFTP_SERVERS if Path(p).exists()), "internal-sftp")
        lines["Subsystem"] = f"sftp {server}"
    return "".join(f"{key} {value}\n" for key, value in {**lines, **options}.items())


def _start(
    configuration: Path, folder: Path, environment: Mapping[str, str] | None
) -> "subprocess.Popen[bytes]":
    program = find("sshd")
    assert program is not None  # missing() was asked; sshd re-executes itself and wants an absolute path
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program, "-D", "-e", "-f", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )


def _await_greeting(child: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
            if probe.recv(4) == b"SSH-":
                return
        time.sleep(0.01)
    raise RuntimeError(f"sshd did not start: {(folder / 'log').read_text('utf-8', 'replace')}")


def _end(child: "subprocess.Popen[bytes]") -> None:
    """The listener and its sessions: they share the process group that was made for them."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sig)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2)
            return
