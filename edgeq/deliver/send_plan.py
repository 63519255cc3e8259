"""What a deployment will send of a release, asked and measured before anything is sent."""

from edgeq.compress.worth import SMALLEST_BYTES, gained_s, rough_size
from edgeq.conversion.old_release import old_files
from edgeq.conversion.packed_files import known
from edgeq.deliver.compression import Compression
from edgeq.deliver.session import Session
from edgeq.nouns.bundle import Artifact, Bundle
from edgeq.nouns.delivery import SendPlan
from edgeq.nouns.release import App
from edgeq.request.tell import Tell


def plan_sending(device: Session, bundle: Bundle, before: App | None, tell: Tell) -> SendPlan:
    """Of the release's files; check samples come on top. Changes nothing. Raises LinkLost."""
    artifacts = {a.sha256: a for a in bundle.manifest.artifacts}
    have = device.link.call("inventory", {"sha256": sorted(artifacts)}).have if device.installed else ()
    missing = [a for sha, a in artifacts.items() if sha not in have]
    files, to_send = len(missing), sum(a.size for a in missing)
    reused = sum(a.size for a in artifacts.values()) - to_send
    if device.local:
        return SendPlan(files, to_send, reused, why_not="this machine needs no link")
    if max((a.size for a in missing), default=0) < SMALLEST_BYTES:
        return SendPlan(files, to_send, reused, why_not="its files are small")
    old = old_files(bundle.manifest.name, before.live if before else None, bundle.manifest)
    compression = Compression(device.link, "", (), device.facts, tell, old)
    if not compression.is_worth_measuring(sum(a.size for a in missing if a.size >= SMALLEST_BYTES)):
        return SendPlan(files, to_send, reused, why_not="what the link carries is measured by this upload")
    sizes = [_about(a, bundle, compression) for a in missing]
    rate = compression.way.link
    if sum(sizes) >= to_send:
        return SendPlan(files, to_send, reused, None, rate, "this link is quicker than packing and expanding")
    return SendPlan(files, to_send, reused, sum(sizes), rate)


def _about(artifact: Artifact, bundle: Bundle, compression: Compression) -> int:
    """Its bytes on the wire."""
    if artifact.size < SMALLEST_BYTES:
        return artifact.size
    base = compression.old.get(artifact.sha256)
    found = known(artifact.sha256, base[0] if base else None)
    if found is not None:
        return compression.shorter(artifact.size, found.size)
    content = bundle.artifact(artifact.path)
    gained = gained_s(content, compression.way, has_old=base is not None)
    return rough_size(content) if gained > compression.way.pack_s(content) else artifact.size
