"""What travels to a device and back off it: wheels for its runtimes, the files of a release, what was removed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .device import Facts
from .record import Record
from .shown import Shown

# Unpacked wheels, compiled Python included, take about this many times their packed size (measured 3.0 to 3.6).
UNPACKED = 3.6


@dataclass(frozen=True)
class Wheel:
    """One wheel on this host, of the pinned bytes. `folder` is its place below `wheels/` on the device."""

    name: str
    version: str
    file: Path
    sha256: str
    size: int
    folder: str


@dataclass(frozen=True)
class WheelSet:
    """All that a runtime needs on one device. `from_device` names what the device's own packages provide."""

    runtime: str
    version: str
    wheels: tuple[Wheel, ...]
    from_device: tuple[str, ...]


@dataclass(frozen=True)
class WheelPlan:
    """Which wheels the runtimes need and which of them the device lacks; nothing sent yet."""

    sets: tuple[WheelSet, ...]
    missing: tuple[Wheel, ...]

    @property
    def bytes_to_send(self) -> int:
        return sum(w.size for w in self.missing)

    @property
    def bytes_unpacked(self) -> int:
        return int(sum(w.size for w in self.missing) * (1 + UNPACKED))

    def python_path(self, runtime: str) -> tuple[str, ...]:
        """Folders below the root that go on sys.path for `runtime`; empty where the device's own packages serve."""
        for s in self.sets:
            if s.runtime == runtime:
                return tuple(f"wheels/{w.folder}" for w in s.wheels)
        return ()


@dataclass(frozen=True)
class Destination(Record):
    """Where candidates are to run: the target's name, the device as people call it, and what the agent found there."""

    target: str
    label: str
    facts: Facts


@dataclass(frozen=True)
class SendPlan(Record):
    """What a deployment will send of a release, before anything is sent. `bytes_compressed` is about what it is on the wire; None where
    nothing would be compressed, and `why_not` says why. `link_bytes_s` was measured where it mattered.
    """

    files: int
    bytes_to_send: int
    bytes_reused: int
    bytes_compressed: Optional[int] = None
    link_bytes_s: Optional[float] = None
    why_not: Optional[str] = None


@dataclass(frozen=True)
class Delivery(Record):
    """What was sent: files and bytes on the wire, bytes that were there already, seconds of uploading and of finishing the release.

    `bytes_on_disk` are those of the files that were sent, once they are on the device; `compressed` of them travelled compressed,
    `differences` of these as what changed since the release that was live, and that took `compress_s` here and `expand_s` there.
    """

    files_sent: int
    bytes_sent: int
    bytes_reused: int
    send_s: float
    seal_s: float
    attempts: int
    bytes_on_disk: int = 0
    compressed: int = 0
    differences: int = 0
    compress_s: float = 0.0
    expand_s: float = 0.0
    link_bytes_s: Optional[float] = None


@dataclass(frozen=True, repr=False)
class Removal(Shown, Record):
    """`removed` are paths on the device; on a dry run those that would go. `kept` are the files of others that lay in releases
    and wheels: where they are now.
    """

    removed: tuple[str, ...]
    bytes: int
    dry_run: bool
    kept: tuple[str, ...] = ()

    def in_short(self) -> str:
        word = "would be removed" if self.dry_run else "removed"
        return f"{len(self.removed)} paths, {self.bytes / 1e6:.1f} MB {word}"
