"""The host's side of an upload that both transports share: where to go on, and what the device's refusal means."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeq.errors import ArtifactCorrupt, DeviceBusy, DeviceError, NoSpace, ReadOnly, RemoteFailed

BLOCK = 1 << 20  # bytes; the grain in which an interrupted upload is verified before it goes on
NO_SPACE = {"ENOSPC", "EDQUOT", "EFBIG"}
READ_ONLY = {"EROFS", "EACCES", "EPERM"}


def sha256_of(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_prefix(source: Path, blocks: list[str], have: int) -> int:
    """How many bytes of the device's part are the source's: up to the first block whose sha256 differs.

    `blocks` are the device's hashes of the first `have` bytes, BLOCK bytes each, the last perhaps shorter.
    """
    good = 0
    with source.open("rb") as file:
        for there in blocks:
            piece = file.read(min(BLOCK, have - good))
            if hashlib.sha256(piece).hexdigest() != there:
                break
            good += len(piece)
    return good


def refused(label: str, failure: Mapping[str, Any]) -> DeviceError:
    """What `receive_on_device.failure` reported, as an error of ours. Sizes in bytes."""
    name, path, folder = failure["errno"], failure["path"], failure["folder"]
    if name in NO_SPACE:
        quota = " within this user's quota" if name == "EDQUOT" else ""
        return NoSpace(
            f"{label} has {megabytes(failure['free'])} free on {folder}{quota}; "
            f"{Path(path).name} needs {megabytes(failure['need'])}",
            "free space there, or choose a root on another disk with --root",
        )
    if name in READ_ONLY:
        return ReadOnly(
            f"{label} does not let this user write {path} ({failure['text']})",
            f"make {folder} writable for the login user (chown, or remount read-write), or choose another --root",
        )
    if name == "EAGAIN":
        return DeviceBusy(
            f"another upload of {path} to {label} is under way", "wait for it to end, then run again"
        )
    return RemoteFailed(
        f"{label} could not store {path}: {failure['text']}", f"look at {folder} on the device"
    )


def corrupt(label: str, destination: str, expected: str, found: str, source: Path) -> ArtifactCorrupt:
    """The bytes on the device are wrong after a whole upload; says on which side."""
    here = sha256_of(source)
    if here != expected:
        return ArtifactCorrupt(
            f"{source} changed while it was sent: its sha256 is {here[:16]}, promised was {expected[:16]}",
            "let whatever writes the file finish, then run again",
        )
    return ArtifactCorrupt(
        f"{destination} on {label} is not what was sent: sha256 {found[:16]}, should be {expected[:16]}",
        "run again; if it happens twice, check the device's disk (dmesg, badblocks)",
    )


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 10e6 else f"{count / 1e6:,.1f} MB"
