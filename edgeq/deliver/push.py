"""Uploads a bundle's files to the device and has the agent assemble the release. Nothing goes live here."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from edgeq.conversion.packed_files import PackedFile
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.compression import Compression, SentCompressed
from edgeq.deliver.link_rate import remember
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.delivery import Delivery
from edgeq.nouns.progress import Progress
from edgeq.nouns.release import Release
from edgeq.transport.base import Sent


def push(
    link: AgentLink,
    files: dict[str, Path],
    sizes: dict[str, int],
    tell: Callable[[Progress], None],
    compression: Compression | None = None,
) -> Delivery:
    """Send those of `files` (sha256 -> file on the host) that the device lacks into its `incoming/`, those compressed that are there
    sooner so.
    """
    old = {base for base, _ in compression.old.values()} if compression else set()
    have = link.call("inventory", {"sha256": sorted({*sizes, *old}), "wheels": []}).have
    missing = [sha for sha in sizes if sha not in have]
    total = sum(sizes[sha] for sha in missing)
    arrived = 0

    def progress(count: int) -> None:
        nonlocal arrived
        arrived += count
        tell(Progress("push", arrived, total, "B"))

    sent: list[Sent] = []
    small: list[SentCompressed] = []
    with _in_order(missing, files, have, compression) as order:
        for sha, packed in order:
            done = compression.send(packed, sha, sizes[sha], progress) if compression and packed else None
            if done is not None:
                small.append(done)
                remember(link.transport.label, done.sent)
            else:
                path = f"{link.root}/incoming/{sha}"
                sent.append(link.transport.put(files[sha], path, sha256=sha, progress=progress))
                remember(link.transport.label, sent[-1])
    return Delivery(
        bytes_reused=sum(sizes.values()) - total + sum(s.bytes_reused for s in sent),
        bytes_on_disk=total,
        compressed=len(small),
        differences=sum(s.difference for s in small),
        compress_s=sum(s.compress_s for s in small),
        expand_s=sum(s.expand_s for s in small),
        link_bytes_s=compression.link_bytes_s if compression else None,
        **_together([*sent, *(s.sent for s in small)]),
    )


@contextlib.contextmanager
def _in_order(
    missing: list[str], files: dict[str, Path], have: Collection[str], compression: Compression | None
) -> Iterator[Iterator[tuple[str, PackedFile | None]]]:
    """Each of `missing`, and what to send in its place, those first that need no packing."""
    packing = compression.packing({sha: files[sha] for sha in missing}, have) if compression else None
    if compression is None or packing is None:
        yield ((sha, None) for sha in missing)
        return

    def order() -> Iterator[tuple[str, PackedFile | None]]:
        yield from ((sha, None) for sha in missing if sha not in packing.left)
        while packing.left:
            yield (packing.left.pop(), None) if compression.refused else packing.next()

    with packing:
        yield order()


def _together(sent: list[Sent]) -> dict[str, Any]:
    """The figures of Delivery that each upload has."""
    return {
        "files_sent": len(sent),
        "bytes_sent": sum(s.bytes_sent for s in sent),
        "send_s": sum(s.send_s for s in sent),
        "seal_s": sum(s.seal_s for s in sent),
        "attempts": max((s.attempts for s in sent), default=0),
    }


def install(link: AgentLink, token: str, manifest: Manifest) -> Release:
    """Have the agent assemble and verify the release; it is complete on disk afterwards, and not live."""
    request = {"token": token, "manifest": manifest.to_dict()}
    installed: Release = link.call("install", request, timeout_s=600)
    return installed


def place_samples(link: AgentLink, token: str, shas: tuple[str, ...]) -> str:
    """Gather check samples that were pushed; their folder, relative to the root."""
    path: str = link.call("samples", {"token": token, "files": list(shas)}, timeout_s=120).path
    return path
