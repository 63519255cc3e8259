"""Makes one root file system from Debian's packages. A change here makes every cached tree anew."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab import accounts


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


class CannotBuild(Exception):
    """The file system could not be made; the message says why."""


def make(image: Image, tree: Path, archive: str | None) -> None:
    """Make `tree`, which does not exist yet, from the Debian archive at this address. Raises CannotBuild."""
    _unpack(image, tree, archive)
    if not image.installed:
        _settle(tree)
    # A login through PAM waits for systemd-logind, which never answers under qemu-user.
    accounts.create(tree, pam=image.installed and image.emulator is None)
    if image.installed and image.emulator is not None:
        _spare_the_emulator(tree)
    _compile_python(tree)


def _unpack(image: Image, tree: Path, archive: str | None) -> None:
    """Only the suite's main archive: security and updates may lag behind for the lesser architectures."""
    command = ["mmdebstrap", "--quiet", "--mode=root", f"--arch={image.arch}", f"--include={image.packages}"]
    command.append("--variant=minbase" if image.installed else "--variant=extract")
    command += [f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "man", "locale", "info")]
    command += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"']
    source = [f"deb {archive} {image.suite} main"] if archive else []
    done = subprocess.run([*command, image.suite, str(tree), *source], capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(f"mmdebstrap could not make {image.name}:\n{done.stderr.strip()[-2000:]}")


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


def _spare_the_emulator(tree: Path) -> None:
    """Turn off what systemd does at boot that qemu-user cannot: credentials (a mount of its own) and sysctl."""
    units = tree / "etc/systemd/system"
    for name in ("systemd-sysusers", "systemd-tmpfiles-setup", "systemd-tmpfiles-setup-dev"):
        (units / f"{name}.service.d").mkdir()
        (units / f"{name}.service.d/lab.conf").write_text("[Service]\nLoadCredential=\nSetCredential=\n")
    for name in ("systemd-sysctl.service", "e2scrub_reap.service"):
        (units / name).symlink_to("/dev/null")


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
