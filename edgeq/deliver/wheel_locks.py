"""Reads the locks of deploy/wheels and says which one a device needs. Downloads nothing.

A lock is a pip requirements file for one runtime, CPython and architecture; each wheel's file name stands in a
comment, and its platform tag (PEP 600) says the oldest glibc it runs on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.catalog import shipped
from edgeq.errors import DeviceUnfit, TargetRefused
from edgeq.nouns.device import Facts
from edgeq.nouns.target import Target

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_FILE = re.compile(r"(?P<runtime>[a-z-]+)-cp3(?P<minor>\d+)-(?P<arch>\w+)\.txt")
_PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]{0,60})==(?P<version>[0-9][\w.+!]{0,40}) \\\n"
    r" +--hash=sha256:(?P<sha256>[0-9a-f]{64})  # (?P<file>[\w.+!]+(?:-[\w.+!]+){2,4}-[\w.]+\.whl) (?P<size>[0-9]{1,12}) bytes$",
    re.MULTILINE | re.ASCII,
)
_FROM_DEVICE = re.compile(r"^# from the device: (.+)$", re.MULTILINE)
# manylinux_2_28_aarch64, and its older spelling for glibc 2.17
_MANYLINUX = re.compile(r"manylinux_2_([0-9]{1,3})_|manylinux(2014)_")

_LARGEST = 1 << 20  # bytes of a lock

Version = tuple[int, ...]


@dataclass(frozen=True)
class Pin:
    """One wheel that a lock names: exactly these bytes."""

    name: str
    version: str
    sha256: str
    file: str
    size: int

    @property
    def folder(self) -> str:
        """Its folder below `wheels/` on a device (docs/protocol.md)."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(self.file.removesuffix(".whl").rsplit("-", 1)[1].split("."))

    @property
    def glibc(self) -> Version:
        """The oldest glibc that it runs on: the least of its tags; (0,) where it needs none."""
        tags = [_MANYLINUX.match(p) for p in self.platforms]
        return min(((2, 17 if t[2] else int(t[1])) for t in tags if t), default=(0,))


@dataclass(frozen=True)
class Lock:
    """The wheels of a runtime for one kind of device, the runtime's own first. `from_device` are requirements that
    the distribution has to meet, because there are no wheels.
    """

    runtime: str
    python: str
    arch: str
    pins: tuple[Pin, ...]
    from_device: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.pins[0].version

    @property
    def glibc(self) -> Version:
        return max(p.glibc for p in self.pins)


def read_locks(folder: Path | None = None) -> tuple[Lock, ...]:
    """Every lock of `folder`, by default those that ship with edgeq."""
    files = sorted((folder or shipped("deploy") / "wheels").glob("*.txt"))
    return tuple(_read(path) for path in files)


def choose_lock(runtime: str, facts: Facts, target: Target) -> Lock:
    """The lock for this device. Raises DeviceUnfit saying what the device has and what there are wheels for."""
    locks = read_locks()
    lock = next((k for k in locks if _key(k) == (runtime, _minor(facts.python), facts.arch)), None)
    if lock is None:
        raise DeviceUnfit(
            f"there is no {runtime} for {_device(facts)}",
            _remedy(facts, locks),
            details=_available(runtime, locks),
        )
    _require_glibc(lock, facts)
    _require_supported(lock, target)
    _require_modules(lock, facts)
    return lock


def _require_glibc(lock: Lock, facts: Facts) -> None:
    if _glibc(facts.libc) < lock.glibc:
        raise DeviceUnfit(
            f"{lock.runtime} {lock.version} needs glibc {_dotted(lock.glibc)} or newer; this is {_device(facts)}",
            "use a newer system (Debian 11, Ubuntu 22.04 and later have it; musl systems such as Alpine do not)",
        )


def _require_supported(lock: Lock, target: Target) -> None:
    """The target's own limits on the version and the Pythons of a runtime."""
    from packaging.specifiers import SpecifierSet

    support = next((r for r in target.runtimes if r.name == lock.runtime), None)
    if support is None or target.detect:
        return
    if lock.version not in SpecifierSet(support.version):
        raise DeviceUnfit(
            f"target {target.name} wants {lock.runtime} {support.version}; "
            f"the newest for CPython {lock.python} on {lock.arch} is {lock.version}",
            "use a system with a newer Python, or another --runtime",
        )
    if support.pythons and lock.python not in support.pythons:
        raise DeviceUnfit(
            f"target {target.name} supports {lock.runtime} on Python {', '.join(support.pythons)}; "
            f"the device has {lock.python}",
            "use another --runtime, or add the Python to a target file of your own",
        )


def _require_modules(lock: Lock, facts: Facts) -> None:
    from packaging.requirements import Requirement

    for requirement in map(Requirement, lock.from_device):
        have = facts.has_modules.get(requirement.name)
        if have is None or not _meets(have, requirement):
            raise DeviceUnfit(
                f"{lock.runtime} on {lock.arch} needs {requirement} of the distribution, for which there are no "
                f"wheels; the device has {f'version {have}' if have else 'none'}",
                f"run `sudo apt install python3-{requirement.name}` on the device"
                + (f"; {lock.runtime} {lock.version} cannot use {have}" if have else ""),
            )


def _meets(have: str, requirement: "Requirement") -> bool:
    """A device says "unknown version" where it cannot tell."""
    try:
        return requirement.specifier.contains(have, prereleases=True)
    except ValueError:  # packaging's InvalidVersion, and a number that Python does not read
        return False


def _read(path: Path) -> Lock:
    """Raises TargetRefused where a file is not what lock.py writes. It ships with edgeq, so an installation is damaged."""
    from packaging.requirements import InvalidRequirement, Requirement

    named = _FILE.fullmatch(path.name)
    try:
        text = path.read_bytes()[:_LARGEST].decode("utf-8")
        from_device = tuple(_FROM_DEVICE.findall(text))
        for requirement in from_device:
            Requirement(requirement)
    except (OSError, UnicodeDecodeError, InvalidRequirement) as error:
        raise _no_lock(path, (str(error)[:200],)) from None
    pins = tuple(
        Pin(m["name"], m["version"], m["sha256"], m["file"], int(m["size"])) for m in _PIN.finditer(text)
    )
    if named is None or not pins or len(pins) != text.count("--hash="):
        raise _no_lock(path)
    return Lock(named["runtime"], f"3.{named['minor']}", named["arch"], pins, from_device)


def _no_lock(path: Path, details: tuple[str, ...] = ()) -> TargetRefused:
    return TargetRefused(
        f"{path} is not a lock of wheels as edgeq ships them", "install edgeq again", details=details
    )


def _key(lock: Lock) -> tuple[str, str, str]:
    return lock.runtime, lock.python, lock.arch


def _minor(python: str) -> str:
    """ "3.11" of "3.11.2"."""
    return ".".join(python.split(".")[:2])


def _glibc(libc: str) -> Version:
    """(2, 36) of "glibc 2.36"; (0,) for every other C library, on which no wheel of ours runs."""
    found = re.fullmatch(r"glibc ([0-9]{1,4})\.([0-9]{1,4}).*", libc)
    return (int(found[1]), int(found[2])) if found else (0,)


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _device(facts: Facts) -> str:
    return f"Python {facts.python} on {facts.arch} with {facts.libc}"


def _remedy(facts: Facts, locks: Iterable[Lock]) -> str:
    fitting = sorted({k.runtime for k in locks if (k.python, k.arch) == (_minor(facts.python), facts.arch)})
    if fitting:
        return f"{' and '.join(fitting)} can be had there: choose with --runtime"
    return "use a system with one of these Pythons and architectures"


def _available(runtime: str, locks: Iterable[Lock]) -> tuple[str, ...]:
    """One line per architecture: "aarch64: Python 3.9 (1.19.2), 3.10 (1.23.2)"."""
    lines: dict[str, list[Lock]] = {}
    for lock in locks:
        if lock.runtime == runtime:
            lines.setdefault(lock.arch, []).append(lock)
    return tuple(
        f"{runtime} for {arch}: Python "
        + ", ".join(f"{k.python} ({k.version})" for k in sorted(some, key=lambda k: int(k.python[2:])))
        for arch, some in lines.items()
    )
