"""What the lab needs of the machine it runs on: root, namespaces, Debian's tools, qemu-user registered.

`missing_for` only looks; `prepare` installs and registers.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.lab import claims, images, rootfs

# package -> the program or file that shows that it is there
_PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",  # mmdebstrap asks it before it runs another architecture's scripts, but only recommends it
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "qemu-user-static": "qemu-aarch64-static",
    "openssh-client": "ssh",
    "iproute2": "ip",
    "util-linux": "unshare",
}
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_DEBIAN_NAME = {"x86_64": "amd64", "aarch64": "arm64"}


def missing_for(image: rootfs.Image, *, systemd: bool) -> str | None:
    """The first thing that is missing to start a device of this image, None when it can be started."""
    if os.geteuid() != 0:
        return "the device lab needs root (namespaces, mounts)"
    absent = _absent()
    if absent:
        return f"the device lab needs {', '.join(absent)}: run `make lab`"
    if not images.tree_of(image).is_dir():
        return f"the lab's {image.name} is not built: run `make lab`"
    if not runs(image):
        return f"this machine cannot run {image.arch} programs: `make lab` registers qemu-user"
    if systemd and claims.Claim(0).cgroup is None:
        return "systemd needs the unified cgroup hierarchy, which is not mounted on this machine"
    return None


def runs(image: rootfs.Image) -> bool:
    return _is_native(image.arch) or (_BINFMT / f"edgeq-lab-{image.emulator}").exists()


def prepare(say: Callable[[str], None]) -> None:
    """Raises CannotBuild and CalledProcessError."""
    if os.geteuid() != 0:
        raise rootfs.CannotBuild("the device lab needs root (namespaces, mounts): run it with sudo")
    absent = _absent()
    if absent:
        say(f"installing {', '.join(absent)}")
        _install(absent)
    elif shutil.which("apt-get") and images.mirror() is None:
        _apt("update")  # apt knows which of its archives is Debian's only after it has read them
    for emulator in sorted(
        {i.emulator for i in images.IMAGES.values() if i.emulator and not _is_native(i.arch)}
    ):
        _register(emulator)


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise rootfs.CannotBuild(
            f"there is no apt here to install {', '.join(packages)}: install them by hand"
        )
    _apt("update")
    _apt("install", "--yes", "--no-install-recommends", *packages)


def _apt(*words: str) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-qq", *words], env=quiet, capture_output=True, text=True)
    if done.returncode:
        raise rootfs.CannotBuild(f"apt-get {words[0]} failed:\n{done.stderr.strip()[-2000:]}")


def _register(emulator: str) -> None:
    """Tell the kernel which emulator runs this architecture, as the package's own file says it, and with one flag more:
    C lets sudo and other setuid programs have their rights. The newest entry wins over the package's own.
    """
    if not (_BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", str(_BINFMT)], check=True)
    if not (_BINFMT / f"edgeq-lab-{emulator}").exists():
        line = Path(f"/usr/lib/binfmt.d/qemu-{emulator}.conf").read_text(encoding="ascii").strip()
        _, _, rule = line.split(":", 2)
        rule, flags = rule.rsplit(":", 1)
        (_BINFMT / "register").write_text(
            f":edgeq-lab-{emulator}:{rule}:{''.join(sorted({*flags, 'C', 'F'}))}"
        )


def _is_native(arch: str) -> bool:
    return _DEBIAN_NAME.get(platform.machine()) == arch


def _absent() -> list[str]:
    """Packages of which neither the program nor the file is here."""
    return [
        name for name, sign in _PACKAGES.items() if shutil.which(sign) is None and not Path(sign).is_file()
    ]
