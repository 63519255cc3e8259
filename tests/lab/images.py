"""The root file systems of the lab: which there are, and how each is cached.

A tree is cached under the hash of everything that made it. Nothing in it is secret or unique: keys, host names and
addresses are put in when a device starts. Knows nothing of namespaces.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import accounts, rootfs
from tests.lab.rootfs import Image

# libstdc++6 comes with apt on every Debian, and every runtime's wheel needs it.
_BASE = (
    "base-files,base-passwd,bash,coreutils,dash,debianutils,diffutils,findutils,grep,gzip,hostname,libc-bin,login,"
    "mawk,passwd,sed,tar,util-linux,openssh-server,python3,procps,iproute2,libstdc++6"
)
_SYSTEMD = "systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,python3,procps,iproute2,sudo,libstdc++6"
_RECIPE = (Path(rootfs.__file__), Path(accounts.__file__))

IMAGES = {
    image.name: image
    for image in (
        # The slowest to build comes first: its packages' own scripts run emulated.
        Image("bookworm-arm64-systemd", "bookworm", "arm64", _SYSTEMD, installed=True, emulator="aarch64"),
        Image("bookworm-amd64", "bookworm", "amd64", _BASE),
        Image("bookworm-arm64", "bookworm", "arm64", _BASE, emulator="aarch64"),
        Image("bullseye-arm64", "bullseye", "arm64", _BASE, emulator="aarch64"),
        Image("trixie-amd64", "trixie", "amd64", _BASE + ",libonnxruntime-dev"),
        Image("bookworm-armhf", "bookworm", "armhf", _BASE + ",python3-numpy,python3-psutil", emulator="arm"),
        Image("bookworm-amd64-systemd", "bookworm", "amd64", _SYSTEMD, installed=True),
    )
}


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
        try:
            rootfs.make(image, unfinished, mirror())
        except rootfs.CannotBuild:
            _remove(unfinished)
            raise
        unfinished.rename(tree)
        for old in tree.parent.glob(f"{image.name}-????????????"):
            if old != tree:
                _remove(old)
        return tree, time.monotonic() - started


def mirror() -> str | None:
    """$EDGEQ_LAB_MIRROR, else the Debian archive that apt uses on this machine, else None: mmdebstrap's own."""
    if "EDGEQ_LAB_MIRROR" in os.environ:
        return os.environ["EDGEQ_LAB_MIRROR"]
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    return next(iter(subprocess.run(asked, capture_output=True, text=True).stdout.split()), None)


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
