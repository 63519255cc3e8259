"""Uploads a bundle's files to the device and has the agent assemble the release. Nothing goes live here."""

import time
from collections.abc import Callable
from pathlib import Path

from edgeq.deliver.agent_link import AgentLink
from edgeq.nouns.bundle import Manifest
from edgeq.nouns.delivery import Delivery
from edgeq.nouns.progress import Progress
from edgeq.nouns.release import Release


def push(
    link: AgentLink,
    files: dict[str, Path],
    sizes: dict[str, int],
    tell: Callable[[Progress], None],
) -> Delivery:
    """Send those of `files` (sha256 -> file on the host) that the device lacks into its `incoming/`."""
    have = link.call("inventory", {"sha256": sorted(sizes), "wheels": []}).have
    missing = [sha for sha in sizes if sha not in have]
    total = sum(sizes[sha] for sha in missing)
    arrived = 0

    def progress(count: int) -> None:
        nonlocal arrived
        arrived += count
        tell(Progress("push", arrived, total, "B"))

    start = time.monotonic()
    sent = [
        link.transport.put(files[sha], f"{link.root}/incoming/{sha}", sha256=sha, progress=progress)
        for sha in missing
    ]
    return Delivery(
        files_sent=len(sent),
        bytes_sent=sum(s.bytes_sent for s in sent),
        bytes_reused=sum(sizes.values()) - total + sum(s.bytes_reused for s in sent),
        send_s=time.monotonic() - start - sum(s.seal_s for s in sent),
        seal_s=sum(s.seal_s for s in sent),
        attempts=max((s.attempts for s in sent), default=0),
    )


def install(link: AgentLink, token: str, manifest: Manifest) -> Release:
    """Have the agent assemble and verify the release; it is complete on disk afterwards, and not live."""
    request = {"token": token, "manifest": manifest.to_dict()}
    installed: Release = link.call("install", request, timeout_s=600)
    return installed


def place_samples(link: AgentLink, token: str, shas: tuple[str, ...]) -> str:
    """Gather check samples that were pushed; their folder, relative to the root."""
    path: str = link.call("samples", {"token": token, "files": list(shas)}, timeout_s=120).path
    return path
