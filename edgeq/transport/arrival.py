"""The host's side of an upload that both transports share: where to go on, and what the device's refusal means."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import ArtifactCorrupt, DeviceBusy, DeviceError, NoSpace, ReadOnly, RemoteFailed
from edgeq.nouns.json_text import parse_json
from edgeq.nouns.record import Record

BLOCK = 1 << 20  # bytes; the grain in which an interrupted upload is verified before it goes on
_SHOWN = 400  # characters of a device's words in a message
_BLOCK_BYTES = 70  # of one sha256 in a reply
_SHORT_REPLY = 64 << 10  # bytes of any other
NO_SPACE = {"ENOSPC", "EDQUOT", "EFBIG"}
READ_ONLY = {"EROFS", "EACCES", "EPERM"}


@dataclass(frozen=True)
class Failure(Record):
    """Why a file could not be stored, as receive_on_device.failure says it. Sizes in bytes; `holder` is the process that
    keeps the part locked, where that is why.
    """

    errno: str
    text: str
    path: str
    folder: str
    need: int
    free: int
    holder: str = ""


@dataclass(frozen=True)
class Reply(Record):
    """One line of the receiver: `blocks`, `have` and `free` are its survey, `at` its heartbeat, the rest its last word."""

    blocks: tuple[str, ...] | None = None
    have: int = 0
    free: int = 0
    at: int | None = None
    complete: bool = False
    sealed: bool = False
    hash_s: float = 0.0
    sync_s: float = 0.0
    corrupt: str | None = None
    error: Failure | None = None


def longest_reply(size: int) -> int:
    """Bytes of the longest line that the receiver of a file of `size` bytes has to say."""
    return _SHORT_REPLY + (size // BLOCK + 1) * _BLOCK_BYTES


def reply_in(line: bytes, size: int, label: str) -> Reply:
    """A line of the receiver of `size` bytes. Raises RemoteFailed for one that it does not say."""
    try:
        reply = Reply.from_dict(parse_json(line, longest_reply(size)))
    except ValueError as error:
        raise no_receiver(label, str(error)) from None
    if not 0 <= reply.have <= size or not 0 <= (reply.at or 0) <= size or min(reply.hash_s, reply.sync_s) < 0:
        raise no_receiver(label, f"it has {reply.have}, is at {reply.at} of {size} bytes")
    return reply


def no_receiver(label: str, why: str) -> RemoteFailed:
    return RemoteFailed(
        f"{label} answers an upload with something other than edgeq's receiver",
        "run it again; if it happens again, the device's memory is failing, or another program answers in the receiver's place",
        details=[why[:400]],
    )


def sha256_of(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_prefix(source: Path, blocks: Sequence[str], have: int) -> int:
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


def refused(label: str, failure: Failure) -> DeviceError:
    """What `receive_on_device.failure` reported, as an error of ours. Sizes in bytes."""
    name, path, folder = failure.errno, failure.path[:_SHOWN], failure.folder[:_SHOWN]
    text = failure.text[:_SHOWN]
    if name in NO_SPACE:
        quota = " within this user's quota" if name == "EDQUOT" else ""
        return NoSpace(
            f"{label} has {megabytes(failure.free)} free on {folder}{quota}; "
            f"{Path(path).name} needs {megabytes(failure.need)}",
            "free space there, or choose a root on another disk with --root",
        )
    if name in READ_ONLY:
        return ReadOnly(
            f"{label} does not let this user write {path} ({text})",
            f"make {folder} writable for the login user (chown, or remount read-write), or choose another --root",
        )
    if name == "EAGAIN":
        by = f": {failure.holder[:_SHOWN]} has it" if failure.holder else ""
        return DeviceBusy(
            f"another upload of {path} to {label} is under way{by}",
            "wait for it to end, or end that process on the device; then run again",
        )
    return RemoteFailed(f"{label} could not store {path}: {text}", f"look at {folder} on the device")


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
