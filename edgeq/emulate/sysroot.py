"""Another architecture's file system, as an emulated process sees it: unpacked in a folder, entered without root.

`qemu -L FOLDER` looks for every absolute path below FOLDER first and takes this machine's where there is none. So a folder
of links into the file system, with a /proc/cpuinfo of our own beside them, is all that is needed: no chroot, no mount,
and the file system itself is not written to.
"""

from pathlib import Path

from edgeq.errors import TargetRefused

_PYTHONS = ("usr/bin/python3", "usr/local/bin/python3")
# What programs, libraries and their configuration need; /tmp, /home, /proc and /sys stay this machine's.
_SHOWN = ("bin", "etc", "lib", "lib64", "sbin", "usr")
_DEBIAN = {"aarch64": "arm64", "armv7l": "armhf", "x86_64": "amd64"}


def find(arch: str, given: Path | None, cache: Path) -> Path:
    """The root file system to use: `given`, or the one that was put into edgeq's cache. Raises TargetRefused."""
    place = cache / "rootfs" / arch
    root = given or place
    if not root.is_dir():
        lacking = (
            f"{given} is no folder"
            if given
            else f"there is no {arch} file system with python3 on this machine"
        )
        raise TargetRefused(lacking, _how_to_make(arch, given or place))
    if python_of(root) is None:
        raise TargetRefused(f"{root} has no python3 below usr/bin or usr/local/bin", _how_to_make(arch, root))
    return root.resolve()


def python_of(root: Path) -> Path | None:
    return next((root / name for name in _PYTHONS if (root / name).is_file()), None)


def lay(root: Path, prefix: Path, cpuinfo: str | None) -> None:
    """Make `prefix`, the folder for `-L`: links into `root`, and /proc/cpuinfo."""
    prefix.mkdir(parents=True)
    for name in _SHOWN:
        if (root / name).is_dir():
            (prefix / name).symlink_to(root / name)
    if cpuinfo is not None:
        (prefix / "proc").mkdir()
        (prefix / "proc/cpuinfo").write_text(cpuinfo)


def _how_to_make(arch: str, place: Path) -> str:
    packages = "python3,libstdc++6" + (",python3-numpy" if arch == "armv7l" else "")
    command = f"mmdebstrap --variant=extract --arch={_DEBIAN[arch]} --include={packages} bookworm {place}"
    return f"make one, on Debian or Ubuntu: `{command}`; or name any with --rootfs"
