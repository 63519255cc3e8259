"""Sends a file compressed where that is quicker (docs/wire.md); whatever speaks against it, the caller sends it as it is."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeq.compress.worth import SMALLEST_BYTES, Way, saves_time
from edgeq.conversion.packed_files import PackedFile
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.link_rate import measured, remembered
from edgeq.deliver.packing import Packing
from edgeq.errors import ArtifactCorrupt, DeviceUnfit, NoSpace, RemoteFailed
from edgeq.nouns.device import Facts
from edgeq.nouns.progress import Note
from edgeq.request.tell import Tell
from edgeq.transport.base import Progress, Sent

# Measured with one thread of a server's core: 1.8 to 2.1 M weights a second.
_PACKS_WEIGHTS_S = 1.5e6
_EXPANDS_BYTES_S = {"x86_64": 24e6}  # else as a Raspberry Pi 4
_EXPANDS_ON_PI_BYTES_S = 8e6
_STARTS_S = 0.5  # python3 with numpy from an SD card
_EMULATED = 20  # times slower
_REFUSALS = (ArtifactCorrupt, DeviceUnfit, NoSpace, RemoteFailed)
_LONGEST_S = 600.0
_WORTH_MEASURING = 4 << 20


@dataclass(frozen=True)
class SentCompressed:
    """One file that is whole on the device now, after `sent` and seconds of packing here and expanding there."""

    sent: Sent
    compress_s: float
    expand_s: float
    difference: bool


@dataclass
class Compression:
    """`old`: by the sha256 of a file to send, what of the release that is live it is compressed against. `python_path` has numpy
    there. Once the device has refused, nothing more is compressed.
    """

    link: AgentLink
    token: str
    python_path: tuple[str, ...]
    facts: Facts
    tell: Tell
    old: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    refused: bool = False
    _way: Way | None = None

    @property
    def way(self) -> Way:
        """Measured once, when it is first asked for. Raises LinkLost."""
        if self._way is None:
            slower = 1 if self.facts.emulated is None else _EMULATED
            expands = _EXPANDS_BYTES_S.get(self.facts.arch, _EXPANDS_ON_PI_BYTES_S)
            rate = remembered(self.link.transport.label) or measured(self.link)
            self._way = Way(rate, _PACKS_WEIGHTS_S, expands / slower, _STARTS_S * slower)
        return self._way

    @property
    def link_bytes_s(self) -> float | None:
        return self._way.link if self._way else None

    def shorter(self, size: int, packed: int) -> int:
        """Of a file that is packed already the bytes that travel: `packed`, or `size` where that is quicker."""
        return packed if saves_time(size, packed, self.way, 0.0) else size

    def is_worth_measuring(self, size: int) -> bool:
        """Whether so many bytes are worth the time that measuring the link takes, where it is not known."""
        known = self._way is not None or remembered(self.link.transport.label) is not None
        return known or size >= _WORTH_MEASURING

    def packing(self, files: Mapping[str, Path], have: Collection[str]) -> Packing | None:
        """Begins to pack those of `files` that may gain by it, the small ones first, against old files that the device `have`s. None
        where nothing may.
        """
        large = {sha: path for sha, path in files.items() if path.stat().st_size >= SMALLEST_BYTES}
        if not large or not self.is_worth_measuring(sum(path.stat().st_size for path in large.values())):
            return None
        old = {sha: base for sha, base in self.old.items() if base[0] in have}
        return Packing(large, old, self.way)

    def send(self, found: PackedFile, sha256: str, size: int, progress: Progress) -> SentCompressed | None:
        """None where the device refuses it: then it has to be sent as it is. Raises LinkLost."""
        try:
            return self._send(found, sha256, size, progress)
        except _REFUSALS as error:
            self.refused = True
            self.tell(Note(f"sent as it is, not compressed: {error.what}"))
            return None

    def _send(self, found: PackedFile, sha256: str, size: int, progress: Progress) -> SentCompressed:
        link = self.link
        there = f"{link.root}/incoming/{found.sha256}"
        sent = link.transport.put(found.path, there, sha256=found.sha256, progress=progress)
        start = time.monotonic()
        request = {"token": self.token, "packed": found.sha256, "sha256": sha256, "size": size}
        request |= {"base": found.base, "python_path": list(self.python_path)}
        try:
            link.call("expand", request, timeout_s=_LONGEST_S)
        except _REFUSALS:
            progress(-found.size)  # it is sent again, as it is
            raise
        progress(size - found.size)
        return SentCompressed(sent, found.seconds, time.monotonic() - start, found.base is not None)
