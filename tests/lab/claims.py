"""Who uses which device number of this machine, so that any number of test runs can work side by side.

A claim is a folder under /run that names the process which made it; a number gives two addresses of 10.77.0.0/16.
What a dead process left behind is swept away by the next claim.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

_CLAIMS = Path("/run/edgeq-lab")
_NETWORK = IPv4Address("10.77.0.0")


@dataclass(frozen=True)
class Claim:
    """A number between 1 and 9999 with what follows from it: a folder, a /30 network, an interface, a cgroup."""

    number: int

    @property
    def folder(self) -> Path:
        return _CLAIMS / str(self.number)

    @property
    def host_ip(self) -> str:
        return str(_NETWORK + 4 * self.number + 1)

    @property
    def device_ip(self) -> str:
        return str(_NETWORK + 4 * self.number + 2)

    @property
    def interface(self) -> str:
        return f"edgeq-{self.number}"

    @property
    def cgroup(self) -> Path | None:
        """A subtree of the unified hierarchy, None where the machine has none."""
        for line in Path("/proc/mounts").read_text().splitlines():
            _, mounted, kind, *_ = line.split()
            if kind == "cgroup2":
                return Path(mounted) / self.interface
        return None


def claim() -> Claim:
    with _locked():
        _sweep()
        number = next(n for n in range(1, 10_000) if not (_CLAIMS / str(n)).exists())
        made = Claim(number)
        made.folder.mkdir(mode=0o755)
        (made.folder / "owner").write_text(_identity(os.getpid()))
        return made


def release(made: Claim) -> None:
    """End every process of the device and remove its folder. The network dies with the last process."""
    stop(made)
    with _locked():
        shutil.rmtree(made.folder, ignore_errors=True)


def stop(made: Claim) -> None:
    """Kill PID 1 of the device, and with it the whole namespace, and wait until it is gone."""
    for identity in _processes(made):
        _kill(identity)
    _unplug(made.interface)
    (made.folder / "processes").unlink(missing_ok=True)
    cgroup = made.cgroup
    if cgroup is not None and cgroup.is_dir():
        _wait_for(lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), str(cgroup))
        for folder, _, _ in os.walk(cgroup, topdown=False):
            Path(folder).rmdir()


def note_process(made: Claim, pid: int) -> None:
    """Remember a process that `stop` has to end, before anything can go wrong with it."""
    with (made.folder / "processes").open("a") as file:
        file.write(_identity(pid) + "\n")


def init_of(made: Claim) -> int:
    """The device's PID 1, as this machine numbers it: the last process that was noted."""
    return int(_processes(made)[-1].split()[0])


def _processes(made: Claim) -> list[str]:
    noted = made.folder / "processes"
    return [line for line in noted.read_text().splitlines() if line] if noted.exists() else []


def _kill(identity: str) -> None:
    if _is_running(identity):
        os.kill(int(identity.split()[0]), signal.SIGKILL)
        _wait_for(lambda: not _is_running(identity), f"process {identity}")


def _unplug(interface: str) -> None:
    """The kernel removes the cable with the device's network, but when it comes to it: a reset cannot wait for that."""
    subprocess.run(["ip", "link", "del", interface], capture_output=True)
    _wait_for(lambda: not Path(f"/sys/class/net/{interface}").exists(), f"interface {interface}")


def _sweep() -> None:
    for folder in _CLAIMS.iterdir():
        owner = folder / "owner"
        if folder.is_dir() and not (owner.exists() and _is_running(owner.read_text())):
            stop(Claim(int(folder.name)))
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(identity: str) -> bool:
    return _identity(int(identity.split()[0])) == identity


def _identity(pid: int) -> str:
    """The pid with its start time, which a later process of the same number does not have; no zombie has one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else f"{pid} {fields[19]}"


def _wait_for(done: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is still there after {seconds:.0f} s")
        time.sleep(0.01)


@contextmanager
def _locked() -> Iterator[None]:
    _CLAIMS.mkdir(mode=0o755, exist_ok=True)
    with (_CLAIMS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
