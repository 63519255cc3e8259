"""Sends a file compressed where that is quicker (docs/wire.md); whatever speaks against it, the caller sends it as it is."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeq.compress.worth import SMALLEST_BYTES, Way, is_worth_packing, saves_time
from edgeq.conversion.packed_files import PackedFile, known, packed
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.link_rate import link_bytes_s
from edgeq.errors import ArtifactCorrupt, DeviceUnfit, NoSpace, RemoteFailed
from edgeq.nouns.progress import Note
from edgeq.request.tell import Tell
from edgeq.transport.base import Progress, Sent

# Measured with one thread: packing on a laptop's core; expanding on a Raspberry Pi 4 a fourth of that on a laptop.
_PACKS_BYTES_S = 1e6
_EXPANDS_BYTES_S = 8e6
_STARTS_S = 0.5  # python3 with numpy from an SD card
_EMULATED = 20  # times slower
_REFUSALS = (ArtifactCorrupt, DeviceUnfit, NoSpace, RemoteFailed)
_LONGEST_S = 600.0


@dataclass(frozen=True)
class SentCompressed:
    """One file that is whole on the device now, after `sent` and seconds of packing here and expanding there."""

    sent: Sent
    compress_s: float
    expand_s: float
    difference: bool


@dataclass
class Compression:
    """`old`: by the sha256 of a file to send, what of the release that is live it is compressed against; `python_path` has numpy there. Once the device has refused, nothing more is compressed."""

    link: AgentLink
    token: str
    python_path: tuple[str, ...]
    emulated: bool
    tell: Tell
    old: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    refused: bool = False
    _way: Way | None = None

    @property
    def way(self) -> Way:
        """Measured once, when it is first asked for."""
        if self._way is None:
            slower = _EMULATED if self.emulated else 1
            rate = link_bytes_s(self.link.transport)
            self._way = Way(rate, _PACKS_BYTES_S, _EXPANDS_BYTES_S / slower, _STARTS_S * slower)
        return self._way

    @property
    def link_bytes_s(self) -> float | None:
        return self._way.link if self._way else None

    def shorter(self, size: int, packed: int) -> int:
        """Of a file that is packed already the bytes that travel: `packed`, or `size` where that is quicker."""
        return packed if saves_time(size, packed, self.way, 0.0) else size

    def sent(
        self, path: Path, sha256: str, size: int, have: Collection[str], progress: Progress
    ) -> SentCompressed | None:
        """None where the file has to be sent as it is. `have`: what the device has, of the old files as well. Raises LinkLost."""
        if self.refused or size < SMALLEST_BYTES:
            return None
        base = self.old.get(sha256)
        base = base if base and base[0] in have else None
        found = self._packed(path, sha256, base)
        if found is None or self.shorter(size, found.size) == size:
            return None
        try:
            return self._send(found, sha256, size, base[0] if base else None, progress)
        except _REFUSALS as error:
            self.refused = True
            self.tell(Note(f"sent as it is, not compressed: {error.what}"))
            return None

    def _packed(self, path: Path, sha256: str, base: tuple[str, bytes] | None) -> PackedFile | None:
        found = known(sha256, base[0] if base else None)
        if found is not None:
            return found
        content = path.read_bytes()
        if not is_worth_packing(content, self.way, has_old=base is not None):
            return None
        return packed(content, sha256, base)

    def _send(
        self, found: PackedFile, sha256: str, size: int, base: str | None, progress: Progress
    ) -> SentCompressed:
        link = self.link
        there = f"{link.root}/incoming/{found.sha256}"
        sent = link.transport.put(found.path, there, sha256=found.sha256, progress=progress)
        start = time.monotonic()
        request = {"token": self.token, "packed": found.sha256, "sha256": sha256, "size": size}
        request |= {"base": base, "python_path": list(self.python_path)}
        try:
            link.call("expand", request, timeout_s=_LONGEST_S)
        except _REFUSALS:
            progress(-found.size)  # it is sent again, as it is
            raise
        progress(size - found.size)
        return SentCompressed(sent, found.seconds, time.monotonic() - start, base is not None)
