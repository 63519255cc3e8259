"""The root file systems of the lab: which there are, and how each is made from Debian's packages and cached.

A tree is cached under the hash of everything that made it. Nothing in it is secret or unique: keys, host names and
addresses are put in when a device starts. Knows nothing of namespaces.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import accounts

# libstdc++6 comes with apt on every Debian, and every runtime's wheel needs it.
_BASE = (
    "base-files,base-passwd,bash,coreutils,dash,debianutils,diffutils,findutils,grep,gzip,hostname,libc-bin,login,"
    "mawk,passwd,sed,tar,util-linux,openssh-server,python3,procps,iproute2,libstdc++6"
)
_RECIPE = (Path(__file__), Path(accounts.__file__))


@dataclass(frozen=True)
class Image:
    """One root file system. `installed` runs the packages' own scripts, which systemd needs; otherwise the packages
    are only unpacked, so that no foreign program runs while building. `emulator` is the qemu-user binary's suffix.
    """

    name: str
    suite: str
    arch: str
    packages: str
    installed: bool = False
    emulator: str | None = None


IMAGES = {
    image.name: image
    for image in (
        Image("bookworm-amd64", "bookworm", "amd64", _BASE),
        Image("bookworm-arm64", "bookworm", "arm64", _BASE, emulator="aarch64"),
        Image("bullseye-arm64", "bullseye", "arm64", _BASE, emulator="aarch64"),
        Image("bookworm-armhf", "bookworm", "armhf", _BASE + ",python3-numpy,python3-psutil", emulator="arm"),
        Image(
            "bookworm-amd64-systemd",
            "bookworm",
            "amd64",
            "systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,python3,procps,iproute2,sudo",
            installed=True,
        ),
    )
}


class CannotBuild(Exception):
    """The file system could not be made; the message says why."""


def cache_folder() -> Path:
    """$EDGEQ_LAB_DIR, else .lab/ in the checkout."""
    return Path(os.environ.get("EDGEQ_LAB_DIR") or Path(__file__).parent.parent.parent / ".lab").resolve()


def tree_of(image: Image) -> Path:
    """Where the image's tree is, or would be, in the cache."""
    recipe = json.dumps(dataclasses.asdict(image), sort_keys=True).encode()
    recipe += b"".join(source.read_bytes() for source in _RECIPE)
    return cache_folder() / f"{image.name}-{hashlib.sha256(recipe).hexdigest()[:12]}"


def build(image: Image) -> tuple[Path, float]:
    """The image's tree, made if it is not cached yet, and the seconds that took. Raises CannotBuild."""
    tree = tree_of(image)
    with _alone(image.name):
        if tree.is_dir():
            return tree, 0.0
        started = time.monotonic()
        unfinished = tree.with_name(f".{tree.name}.tmp")
        _remove(unfinished)
        _debootstrap(image, unfinished)
        if not image.installed:
            _settle(unfinished)
        accounts.create(unfinished)
        _compile_python(unfinished)
        unfinished.rename(tree)
        for old in tree.parent.glob(f"{image.name}-????????????"):
            if old != tree:
                _remove(old)
        return tree, time.monotonic() - started


def _debootstrap(image: Image, tree: Path) -> None:
    """Only the suite's main archive: security and updates may lag behind for the lesser architectures."""
    command = ["mmdebstrap", "--quiet", "--mode=root", f"--arch={image.arch}", f"--include={image.packages}"]
    command.append("--variant=minbase" if image.installed else "--variant=extract")
    command += [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale", "info")]
    command += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"']
    mirror = _mirror()
    source = [f"deb {mirror} {image.suite} main"] if mirror else []
    done = subprocess.run([*command, image.suite, str(tree), *source], capture_output=True, text=True)
    if done.returncode:
        _remove(tree)
        raise CannotBuild(f"mmdebstrap could not make {image.name}:\n{done.stderr.strip()[-2000:]}")


def _mirror() -> str | None:
    """$EDGEQ_LAB_MIRROR, else the Debian archive that apt uses on this machine, else None: mmdebstrap's own."""
    if "EDGEQ_LAB_MIRROR" in os.environ:
        return os.environ["EDGEQ_LAB_MIRROR"]
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    return next(iter(subprocess.run(asked, capture_output=True, text=True).stdout.split()), None)


def _settle(tree: Path) -> None:
    """What the skipped maintainer scripts would have done: merge /usr, pick sh, awk and a BLAS, make empty folders."""
    for name in ("bin", "sbin", "lib"):
        folder = tree / name
        if not folder.is_symlink():
            subprocess.run(["cp", "-a", f"{folder}/.", str(tree / "usr" / name)], check=True)
            shutil.rmtree(folder)
            folder.symlink_to(f"usr/{name}")
    for name, chosen in (("sh", "dash"), ("awk", "mawk")):
        (tree / "usr/bin" / name).unlink(missing_ok=True)
        (tree / "usr/bin" / name).symlink_to(chosen)
    for library in (*tree.glob("usr/lib/*/blas/libblas.so.3"), *tree.glob("usr/lib/*/lapack/liblapack.so.3")):
        (library.parent.parent / library.name).symlink_to(f"{library.parent.name}/{library.name}")
    for name in (
        "dev",
        "etc",
        "home",
        "opt",
        "proc",
        "root",
        "run",
        "srv",
        "sys",
        "tmp",
        "var/empty",
        "var/tmp",
    ):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (tree / name).chmod(0o1777)


def _compile_python(tree: Path) -> None:
    """Byte-compile the standard library by the device's own Python; every later start is a fifth faster."""
    python = next((tree / "usr/lib").glob("python3.?*"))
    skip = "(test|idlelib|lib2to3|tkinter|distutils|ensurepip|pydoc_data|encodings)"
    compiler = ["python3", "-m", "compileall", "-q", "-x", skip, f"/usr/lib/{python.name}"]
    done = subprocess.run(["chroot", str(tree), *compiler], capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(
            f"python3 of {tree.name} does not run: {(done.stdout + done.stderr).strip()[-1000:]}"
        )


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One builder per image, however many test processes start at once."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove(tree: Path) -> None:
    if tree.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(tree)], check=True)
