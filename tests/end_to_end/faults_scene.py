"""A device on which an older release is live, and a user in an empty folder who deploys a newer one over it.

What the device looks like is read from its disk, not asked of edgeq.
"""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.bundle import read_bundle
from edgeq.errors import EdgeqError, from_dict
from tests.end_to_end.faults_cable import Cable
from tests.lab import claims
from tests.lab.device import LabDevice
from tests.lab.ssh_home import path_with_ssh

_HERE = Path(__file__).parent
ROOT = ".local/share/edgeq"
TARGET = "x86-64"
WORKS = (0, 3)  # 3: live, though the machine was too busy to compare speeds


@dataclass(frozen=True)
class Done:
    """How a run of edgeq ended, and everything that it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def error(self) -> EdgeqError:
        """What --json says of a failure."""
        return from_dict(self.json["error"])

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.out}{self.err}"


@dataclass(frozen=True)
class Scene:
    """`home` is the user's, new for each test; `cache` is shared by all, so that wheels are fetched once."""

    device: LabDevice
    home: Path
    cache: Path
    bundles: Path

    @property
    def new(self) -> Path:
        return self.bundles / "new.edgeq"

    @property
    def old(self) -> Path:
        return self.bundles / "old.edgeq"

    def edgeq(self, *words: str, cable: Cable | None = None, **options: str) -> Done:
        """Run to the end. Over `cable` the device is reached through it, else directly."""
        child = self.start(*words, cable=cable, **options)
        try:
            out, err = child.communicate(timeout=200)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGABRT)
            child.kill()
            raise
        done = Done(child.returncode, out, err)
        print(done)
        assert "Traceback" not in done.err + done.out, done
        return done

    def start(
        self, *words: str, cable: Cable | None = None, terminal: int | None = None, **options: str
    ) -> "subprocess.Popen[str]":
        """The process of `edgeq`; options other than the device's own are given as keywords (identity="...")."""
        program = ["-m", "edgeq"] if cable is None else [str(_HERE / "faults_edgeq.py")]
        port = [] if cable is None else ["--port", str(cable.port)]
        address = self.device.ip if cable is None else "127.0.0.1"
        chosen = {
            "host": f"{self.device.user}@{address}",
            "identity": str(self.device.key),
            "target": TARGET,
            **options,
        }
        flags = [w for name, value in chosen.items() if value for w in (f"--{name}", value)]
        self._know(address, str(cable.port) if cable else options.get("port", ""))
        return subprocess.Popen(
            [sys.executable, *program, words[0], *words[1:], *flags, *port],
            cwd=self.home,
            env=self._environment(cable),
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.PIPE if terminal is None else terminal,
            text=True,
            start_new_session=True,
            preexec_fn=None if terminal is None else _own_terminal,
        )

    def deploy(self, *words: str, cable: Cable | None = None, **options: str) -> Done:
        """Of the newer release, unless a bundle is named."""
        bundle = [] if words and words[0].endswith(".edgeq") else [str(self.new)]
        return self.edgeq("deploy", *bundle, "--seconds", "0.5", "--json", *words, cable=cable, **options)

    def type(self, answer: str, *words: str, **options: str) -> Done:
        """Run at a terminal and type `answer` to each question for a password; `out` is what the screen showed."""
        ours, theirs = pty.openpty()
        child = self.start(*words, terminal=theirs, **options)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while chunk := os.read(ours, 1 << 12):
                shown += chunk
                if b"password" in chunk.lower() and chunk.rstrip(b" ").endswith(b":"):
                    os.write(ours, answer.encode() + b"\n")
        os.close(ours)
        return Done(child.wait(60), shown.decode(errors="replace"), "")

    def convert(self, *words: str) -> Done:
        """`edgeq convert` for this device's target."""
        program = [sys.executable, "-m", "edgeq", "convert", *words, "--target", TARGET]
        done = subprocess.run(
            program, cwd=self.home, env=self._environment(None), capture_output=True, text=True, timeout=200
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def live(self) -> str | None:
        """The digest that `current` leads to, by the link itself."""
        link = self.root / "apps/digits/current"
        return link.readlink().parts[1] if link.is_symlink() else None

    def runs(self) -> bool:
        """Whether the live model computes, asked of its own runtime and nothing of edgeq."""
        wheels = ":".join(f"{ROOT}/wheels/{p.name}" for p in (self.root / "wheels").glob("[!.]*"))
        script = (
            "import onnxruntime as o, numpy as n;"
            f"s = o.InferenceSession('{ROOT}/apps/digits/current/model.onnx');"
            "print(s.run(None, {'image': n.zeros((1, 1, 8, 8), 'float32')})[0].shape)"
        )
        ran = self.device.run(f'PYTHONPATH={wheels} python3 -c "{script}"', check=False)
        return ran.stdout == "(1, 10)\n"

    def lacks(self, step: str) -> None:
        """Take from the device what `step` would find there already."""
        if step == "the upload of the agent":
            self.device.run(f"rm {ROOT}/agent/*.pyz")
        if step == "the upload of a wheel":
            self.device.run(f"rm -r {ROOT}/wheels/numpy-*")

    def digest(self, bundle: Path) -> str:
        return read_bundle(bundle).digest

    @property
    def news(self) -> dict[str, int]:
        """sha256 and size of what the newer release has and the older has not."""
        new, old = (read_bundle(b).manifest.artifacts for b in (self.new, self.old))
        return {a.sha256: a.size for a in new if a.sha256 not in {b.sha256 for b in old}}

    @property
    def root(self) -> Path:
        return self.device.root / "home" / self.device.user / ROOT

    @property
    def left_behind(self) -> list[str]:
        """Everything that no release, job or running command needs, on the device and in the host's temporary folder."""
        return self.left_on_device + self.temporary_on_host

    @property
    def left_on_device(self) -> list[str]:
        named = {
            p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if _is_leftover(p, self.root)
        }
        installed = {p.name for p in (self.root / "apps/digits/releases").glob("*")}
        named |= {f"release {d}" for d in installed - {self.digest(self.old), self.live()}}
        samples = {p.name for p in (self.root / "samples").glob("*")} - self._samples_needed()
        named |= {f"samples/{name}" for name in samples}
        named |= {f"/tmp/{p.name}" for p in (self.device.root / "tmp").glob("edgeq-*")}
        return sorted(named)

    @property
    def temporary_on_host(self) -> list[str]:
        return sorted(p.name for p in (self.home / "tmp").glob("*"))

    def _samples_needed(self) -> set[str]:
        jobs = (self.root / "apps").glob("*/releases/*/jobs/*.json")
        return {Path(json.loads(job.read_text())["samples"]).name for job in jobs}

    def lease_runs_out(self) -> None:
        """Two minutes pass, as far as the lock is concerned."""
        lock = self.root / "lock.json"
        if lock.exists():
            lock.write_text(json.dumps({**json.loads(lock.read_text()), "until_ns": 0}))

    @contextlib.contextmanager
    def read_only(self) -> Iterator[Callable[[], object]]:
        """What it gives makes edgeq's folder read-only, as the kernel does with a worn-out card; undone at the end."""
        folder = self.device.claim.folder / "root/home" / self.device.user / ROOT
        inside = ["nsenter", f"--target={claims.init_of(self.device.claim)}", "--mount"]

        def remount() -> None:
            subprocess.run([*inside, "mount", "--bind", folder, folder], check=True)
            subprocess.run([*inside, "mount", "-o", "remount,bind,ro", folder], check=True)

        try:
            yield remount
        finally:
            subprocess.run([*inside, "umount", "--lazy", folder], check=True)

    @contextlib.contextmanager
    def asks_for(self, password: str, port: int = 2222) -> Iterator[str]:
        """A second sshd of the device, that lets its user in with this password; its port."""
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True
        )
        shadow = self.device.root / "etc/shadow"
        before = shadow.read_text()
        user = self.device.user
        shadow.write_text(
            re.sub(f"^{user}:[^:]*", f"{user}:{hashed.stdout.strip()}", before, flags=re.MULTILINE)
        )
        options = "-o PasswordAuthentication=yes -o UsePAM=no -o PidFile=/run/second.pid"
        self.device.run_as_root(f"/usr/sbin/sshd -p {port} {options}")
        try:
            self.wait(lambda: (self.device.root / "run/second.pid").exists())
            yield str(port)
        finally:
            self.device.run_as_root("kill $(cat /run/second.pid)")
            shadow.write_text(before)

    def agents_running(self) -> list[str]:
        """Command lines of the agent's processes on the device."""
        found = []
        for file in (self.device.root / "proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        return [line for line in found if ".pyz" in line or "edgeq" in line]

    def settle(self) -> None:
        """Wait until what the broken connection left running on the device has come to its end."""
        self.wait(lambda: not self.agents_running())

    def arrived(self, size: int) -> None:
        """Wait until an upload has left `size` bytes on the device: what is on its way is lost with the connection."""
        self.wait(lambda: any(part.stat().st_size >= size for part in self.root.glob("incoming/*.part")))

    def wait(self, until: Callable[[], bool], seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, "it did not come to that in time"
            time.sleep(0.02)

    def know(self, key: str) -> None:
        """From now on the user knows the device by this key; by none when it is empty."""
        file = self.home / ".ssh/known_hosts"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(f"# {self.device.ip}\n" + (f"{self.device.ip} {key}" if key else ""))

    def _know(self, address: str, port: str) -> None:
        """Writes known_hosts as a user has it who was there before."""
        key = self.device.known_hosts.read_text().split(" ", 1)[1]
        name = f"[{address}]:{port}" if port else address
        file = self.home / ".ssh/known_hosts"
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if not file.exists() or name not in file.read_text():
            with file.open("a") as lines:
                lines.write(f"{name} {key}")

    def _environment(self, cable: Cable | None) -> dict[str, str]:
        (self.home / "tmp").mkdir(exist_ok=True)
        return {
            **{k: v for k, v in os.environ.items() if k != "SSH_AUTH_SOCK"},
            "HOME": str(self.home),
            "PATH": path_with_ssh(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "XDG_CACHE_HOME": str(self.cache),
            "PYTHONPATH": str(_HERE.parents[1]),
            "COLUMNS": "120",
            **({"FAULTS_EAR": str(cable.ear)} if cable else {}),
        }


def _own_terminal() -> None:
    """Between fork and exec: what the child's stdin is becomes the terminal that passwords are read from."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _is_leftover(path: Path, root: Path) -> bool:
    inside = path.relative_to(root).parts
    return (
        (path.name.startswith(".") and path.name.endswith(".tmp"))
        or path.name.endswith(".part")
        or (inside[0] in ("incoming", "jobs") and path.is_file())
        or (inside == ("lock.json",) and _is_held(path))
    )


def _is_held(lock: Path) -> bool:
    """The device's boot clock is this machine's: they share a kernel."""
    until: int = json.loads(lock.read_text())["until_ns"]
    return until > time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def remember(device: LabDevice) -> None:
    """Keep what is on the device now, as hard links: edgeq replaces files and never changes one."""
    device.run(f"rm -rf kept && cp -al {ROOT} kept")


def recall(device: LabDevice) -> None:
    """Back to what was kept."""
    device.run(f"rm -rf {ROOT} && cp -al kept {ROOT}")
