"""A device of the lab: a Debian of its own in namespaces of its own, reached by real sshd over a virtual cable.

Every start lays a fresh disk over the cached image; address, keys and machine id stay the same over resets. Everything
of it dies with its PID 1: mounts, network and processes leave nothing behind.
"""

import os
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab import accounts, boards, claims, images, rootfs

_HERE = Path(__file__).parent
_SSHD = "/usr/sbin/sshd -D -e -o PidFile=none"
_SYSTEMD = "/lib/systemd/systemd --log-target=console --log-level=info systemd.unit=multi-user.target"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Kind:
    """What to start: an image, the board it pretends to be, the CPU that qemu-user emulates, who is PID 1."""

    name: str
    image: rootfs.Image
    board: boards.Board | None = None
    cpu: str | None = None
    systemd: bool = False
    disk: str = "3g"


@dataclass
class LabDevice:
    """A running device. `host` goes on a command line of edgeq or ssh, `config` is an ssh configuration that knows it."""

    kind: Kind
    claim: claims.Claim
    user: str = "pi"
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def ip(self) -> str:
        return self.claim.device_ip

    @property
    def host(self) -> str:
        return f"{self.user}@{self.ip}"

    @property
    def key(self) -> Path:
        return self.claim.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.claim.folder / "known_hosts"

    @property
    def config(self) -> Path:
        return self.claim.folder / "config"

    @property
    def log(self) -> Path:
        """What sshd or systemd wrote to its console."""
        return self.claim.folder / "console.log"

    @property
    def board(self) -> Path:
        """Pi-like devices: sys/, cpuinfo and meminfo as the device sees them; rewrite a file to change a sensor."""
        return self.claim.folder / "board"

    @property
    def root(self) -> Path:
        """The running device's file system. Absolute links in it point into this machine's root: follow none."""
        return Path(f"/proc/{claims.init_of(self.claim)}/root")

    def run(
        self, command: str, *, stdin: bytes | None = None, check: bool = True, timeout: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell line on the device as its user, through the OpenSSH client."""
        ssh = ["ssh", "-F", str(self.config), self.ip, "--", command]
        return _run(ssh, stdin=stdin, check=check, timeout=timeout)

    def run_as_root(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell line on the device as root, from this machine and not through sshd."""
        enter = [
            "nsenter",
            f"--target={claims.init_of(self.claim)}",
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--ipc",
        ]
        enter += ["--root", "--wd", "env", "-i", f"PATH={_PATH}", "HOME=/root", *_cpu_variable(self.kind)]
        return _run([*enter, "/bin/sh", "-c", command], check=check)

    def limit_free_disk(self, free_bytes: int) -> None:
        """Make the device's disk so small that only this much is free, however full it is."""
        disk = self.claim.folder / "disk"
        inside = ["nsenter", f"--target={claims.init_of(self.claim)}", "--mount"]
        used = _run([*inside, "stat", "-f", "-c", "%b %f %S", str(disk)]).stdout.split()
        blocks, free, size = (int(word) for word in used)
        _run([*inside, "mount", "-o", f"remount,size={(blocks - free) * size + free_bytes}", str(disk)])

    def start(self) -> None:
        """Boot it and return when sshd answers. Raises RuntimeError with the console's last words."""
        assert self._process is None, "it runs already"
        environment = {
            "PATH": _PATH,
            "LAB_DIR": str(self.claim.folder),
            "LAB_TREE": str(images.tree_of(self.kind.image)),
            "LAB_DISK": self.kind.disk,
            "LAB_INIT": _SYSTEMD if self.kind.systemd else _SSHD,
            "LAB_CGROUP": "yes" if self.kind.systemd else "",
            "LANG": "C.UTF-8",
            **dict(variable.split("=") for variable in _cpu_variable(self.kind)),
        }
        if self.kind.systemd:
            environment |= {"container": "edgeq-lab", "container_uuid": str(uuid.uuid4())}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_cgroup_of(self), *_unshare(self.kind), "/bin/sh", str(_HERE / "enter.sh")],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        claims.note_process(self.claim, self._process.pid)
        try:
            claims.note_process(self.claim, _only_child(self._process))
            self._plug_in()
            self._wait_for_sshd()
        except (RuntimeError, AssertionError, TimeoutError) as error:
            words = self.log.read_text(errors="replace")[-3000:]
            self.stop()
            raise RuntimeError(f"the lab's {self.kind.name} did not come up: {error}\n{words}") from None

    def stop(self) -> None:
        claims.stop(self.claim)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def reset(self) -> None:
        """Power off and on again with a fresh disk, as a new device at the same address with the same keys."""
        self.stop()
        _lay_board(self.kind, self.board)
        self.start()

    def _plug_in(self) -> None:
        """A cable between this machine and the device; the kernel removes both ends with the device's network."""
        ours, init = self.claim.interface, str(claims.init_of(self.claim))
        _run(["ip", "link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", init])
        _run(["ip", "addr", "add", f"{self.claim.host_ip}/30", "dev", ours])
        _run(["ip", "link", "set", ours, "up"])
        inside = ["nsenter", f"--target={init}", "--net", "ip"]
        _run([*inside, "addr", "add", f"{self.ip}/30", "dev", "eth0"])
        _run([*inside, "link", "set", "eth0", "up"])

    def _wait_for_sshd(self, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                with socket.create_connection((self.ip, 22), timeout=1.0) as connection:
                    if connection.recv(4).startswith(b"SSH-") and not self._boots():
                        return
            except OSError:
                pass
            if time.monotonic() > deadline or not Path(f"/proc/{claims.init_of(self.claim)}").exists():
                raise TimeoutError("its sshd does not answer")
            time.sleep(0.02)

    def _boots(self) -> bool:
        """Whether systemd still has PAM turn away everybody but root, which sshd says by closing the connection."""
        return self.kind.systemd and (self.root / "run/nologin").exists()


def create(kind: Kind) -> LabDevice:
    """Claim an address and make keys for a device of this kind; nothing runs yet."""
    device = LabDevice(kind, claims.claim())
    folder = device.claim.folder
    for name in ("root", "disk", "files/etc/ssh"):
        (folder / name).mkdir(parents=True)
    for key in (device.key, folder / "files/etc/ssh/ssh_host_ed25519_key"):
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab-{kind.name}", "-f", str(key)])
    accounts.authorize(folder / "files", device.key.with_suffix(".pub").read_text())
    host_key = (folder / "files/etc/ssh/ssh_host_ed25519_key.pub").read_text()
    device.known_hosts.write_text(f"{device.ip} {host_key}")
    device.config.write_text(_ssh_config(device))
    (folder / "files/etc/hostname").write_text(f"{kind.name}\n")
    (folder / "files/etc/hosts").write_text(f"127.0.0.1 localhost {kind.name}\n")
    (folder / "files/etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
    if kind.cpu is not None:
        (folder / "files/etc/edgeq-emulated").write_text(f"qemu-user {kind.cpu}\n")
        # Sessions do not inherit sshd's environment, so sshd sets the CPU for each of them.
        (folder / "files/etc/ssh/sshd_config.d").mkdir()
        (folder / "files/etc/ssh/sshd_config.d/cpu.conf").write_text(f"SetEnv QEMU_CPU={kind.cpu}\n")
    _lay_board(kind, device.board)
    return device


def _lay_board(kind: Kind, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if kind.board is not None:
        boards.lay(kind.board, folder)


def _ssh_config(device: LabDevice) -> str:
    return (
        f"Host {device.ip}\n"
        f"  User {device.user}\n"
        f"  IdentityFile {device.key}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {device.known_hosts}\n"
        "  GlobalKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking yes\n"
        "  BatchMode yes\n"
    )


def _cgroup_of(device: LabDevice) -> list[str]:
    """Systemd needs a cgroup tree of its own: enter it before the namespace makes it the root."""
    if not device.kind.systemd:
        return []
    folder = device.claim.cgroup
    assert folder is not None, "fixtures ask for the unified hierarchy first"
    folder.mkdir(exist_ok=True)
    return ["/bin/sh", "-c", f'echo $$ > {folder}/cgroup.procs && exec "$@"', "sh"]


def _unshare(kind: Kind) -> list[str]:
    own = ["--mount", "--net", "--pid", "--uts", "--ipc", *(["--cgroup"] if kind.systemd else [])]
    return ["unshare", *own, "--fork", "--kill-child", "--propagation", "private", "--"]


def _cpu_variable(kind: Kind) -> list[str]:
    return [f"QEMU_CPU={kind.cpu}"] if kind.cpu else []


def _only_child(parent: "subprocess.Popen[bytes]", seconds: float = 10.0) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and parent.poll() is None:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.005)
    raise RuntimeError("unshare did not start the device's first process")


def _run(
    command: list[str], *, stdin: bytes | None = None, check: bool = True, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=timeout,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    text = subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
    if check and text.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {text.returncode}:\n{text.stdout}{text.stderr}")
    return text
