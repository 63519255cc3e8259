"""Receives one file on the device and makes it durable. Sent whole as `python3 -I -S -c <this text> <order as JSON>`.

    stdout  edgeq {"blocks": [sha256 ..], "have": bytes, "free": bytes}    what an earlier upload left behind
    stdin   <start>\n, then the bytes of the file from `start` on
    stdout  edgeq {"at": bytes}                                            every now and then: alive, this much arrived
    stdout  edgeq {"complete" | "sealed" | "corrupt" | "error": ..}        the last line

The file grows as `<path>.part`, under flock, and is renamed only after its sha256, read back, is the promised one.
Standard library only, Python 3.9 and up. The local transport calls the same functions.
"""

# pathlib would double the start-up time on a small board.
# ruff: noqa: PTH102, PTH104, PTH108, PTH110, PTH112, PTH116, PTH120, PTH123

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Optional

MARK = "edgeq "  # other lines on stdout are a login script's noise
CHUNK = 1 << 20
HEARTBEAT_S = 0.25
SET_PIPE_SIZE = 1031  # fcntl's F_SETPIPE_SZ, which Python names only from 3.10 on


_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Cut(Exception):
    """The sender is gone; what arrived stays for the next attempt."""


def holds(path: str, size: int, sha256: str) -> bool:
    """Is the file there, whole and right?"""
    try:
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_size == size and digest(file, size) == sha256
    except FileNotFoundError:
        return False


def open_part(path: str, patience_s: float) -> BinaryIO:
    """`<path>.part`, made or found, locked against an earlier receiver that has not noticed its sender's end. Nobody else may
    open it, and so lock it, before it is whole; a link of that name is not followed.

    Raises BlockingIOError when another holds the lock after `patience_s`; its `filename2` says which process.
    """
    until = time.monotonic() + patience_s
    while True:
        file = os.fdopen(os.open(path + ".part", _PART, 0o600), "r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path + ".part")):
                return file  # else it was renamed or removed between open and lock
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            if time.monotonic() > until:
                error.filename2 = holder(file.fileno())
                file.close()
                raise
            time.sleep(0.05)
        file.close()


def holder(handle: int) -> str:
    """ "process 4711 (vim)" that has the lock on an open file; "" where /proc/locks (proc_locks(5)) does not tell."""
    info = os.fstat(handle)
    place = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
    try:
        with open("/proc/locks") as file:
            pids = [w[4] for w in map(str.split, file) if len(w) > 5 and w[1] == "FLOCK" and w[5] == place]
        with open(f"/proc/{pids[0]}/comm") as file:
            return f"process {pids[0]} ({file.read().strip()})"
    except (OSError, IndexError):
        return ""


def survey(part: BinaryIO, folder: str, size: int, block: int) -> "dict[str, Any]":
    """What is there of the file: the sha256 of each block of the part, the last perhaps short, and the free space."""
    have = min(os.fstat(part.fileno()).st_size, size)
    part.seek(0)
    blocks = [digest(part, min(block, have - at)) for at in range(0, have, block)]
    return {"blocks": blocks, "have": have, "free": free_bytes(folder)}


def append(
    read: Callable[[int], bytes],
    part: BinaryIO,
    start: int,
    size: int,
    arrived: Optional[Callable[[int], None]] = None,
) -> None:
    """Bytes `start` to `size` from `read` into the part, whatever was behind `start` before.

    Raises OSError ENOSPC before the first byte when they cannot fit, Cut when `read` ends too early.
    """
    stale = max(os.fstat(part.fileno()).st_blocks * 512 - start, 0)  # freed by the truncation below
    if size - start > free_bytes(part.fileno()) + stale:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    part.truncate(start)
    part.seek(start)
    at = start
    while at < size:
        data = memoryview(read(min(CHUNK, size - at)))
        if not data:
            raise Cut
        while data:
            written = part.write(data)
            data = data[written:]
            at += written
        if arrived is not None:
            arrived(at)


def seal(part: BinaryIO, path: str, size: int, sha256: str) -> "dict[str, Any]":
    """Read back, fsync, rename, fsync the folder; a wrong part is removed. Returns the reply, seconds in it."""
    began = time.perf_counter()
    part.seek(0)
    found = digest(part, size)
    hashed = time.perf_counter()
    if found != sha256 or os.fstat(part.fileno()).st_size != size:
        os.unlink(path + ".part")
        return {"corrupt": found}
    os.fchmod(part.fileno(), 0o644)
    os.fsync(part.fileno())
    os.rename(path + ".part", path)
    sync_folder(os.path.dirname(path))
    return {"sealed": True, "hash_s": hashed - began, "sync_s": time.perf_counter() - hashed}


def digest(file: BinaryIO, length: int) -> str:
    """sha256, in hex, of the next `length` bytes, or of what there is of them."""
    h = hashlib.sha256()
    while length > 0:
        data = file.read(min(CHUNK, length))
        if not data:
            break
        h.update(data)
        length -= len(data)
    return h.hexdigest()


def make_folder(path: str) -> None:
    """The folder and its parents, each new one durable in the one above it."""
    if os.path.isdir(path):
        return
    make_folder(os.path.dirname(path))
    try:
        os.mkdir(path)
    except FileExistsError:
        return  # a second upload was quicker; if it is no folder, opening the part will say so
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def free_bytes(where: "int | str") -> int:
    stat = os.statvfs(where)
    return stat.f_bavail * stat.f_frsize


def failure(error: OSError, path: str, size: int) -> "dict[str, Any]":
    """The error as the host needs it. A part that does not fit is removed: it would only fill the disk further."""
    name = errno.errorcode.get(error.errno or 0, "EIO")
    part, folder = path + ".part", os.path.dirname(path)
    if name in ("ENOSPC", "EDQUOT") and os.path.exists(part):
        os.unlink(part)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return {
        "errno": name,
        "text": error.strerror or str(error),
        "path": path,
        "folder": folder,
        "need": size,
        "free": free_bytes(folder),
        "holder": str(error.filename2 or "") if name == "EAGAIN" else "",
    }


class Speaker:
    """Writes replies, and a heartbeat between them: hashing and fsync on a slow card outlast the host's patience."""

    def __init__(self) -> None:
        self.at = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._beat, daemon=True).start()

    def say(self, reply: "dict[str, object]") -> None:
        with self._lock:
            sys.stdout.write("\n" + MARK + json.dumps(reply) + "\n")
            sys.stdout.flush()

    def _beat(self) -> None:
        try:
            while True:
                time.sleep(HEARTBEAT_S)
                self.say({"at": self.at})
        except OSError:
            pass  # nobody listens any more; the main thread notices by itself


def receive(order: "dict[str, Any]", speaker: Speaker) -> "dict[str, object]":
    path, size, sha256 = order["path"], order["size"], order["sha256"]
    folder = os.path.dirname(path)
    make_folder(folder)
    if holds(path, size, sha256):
        return {"complete": True}
    with open_part(path, patience_s=order["idle_s"] + 2) as part:
        speaker.say(survey(part, folder, size, order["block"]))
        start = _start(size, order["idle_s"])

        def read(count: int) -> bytes:
            return _read(count, order["idle_s"])

        def arrived(at: int) -> None:
            first = speaker.at == 0
            speaker.at = at
            if first:
                speaker.say({"at": at})

        append(read, part, start, size, arrived)
        return seal(part, path, size, sha256)


def _read(count: int, idle_s: float) -> bytes:
    """Up to `count` bytes of stdin; nothing when the sender is gone or silent for `idle_s`."""
    ready, _, _ = select.select([0], [], [], idle_s)
    return os.read(0, count) if ready else b""


def _start(size: int, idle_s: float) -> int:
    """The first line of stdin: where the sender goes on. Whoever says something else is no sender."""
    line = b""
    while not line.endswith(b"\n") and len(line) < 20:
        byte = _read(1, idle_s)
        if not byte:
            raise Cut
        line += byte
    if not line[:-1].isdigit() or int(line) > size:
        raise Cut
    return int(line)


def order_in(text: str) -> "dict[str, Any]":
    """The order on the command line. Raises OSError EINVAL for what is none."""
    try:
        order = json.loads(text)
        kinds: dict[str, type | tuple[type, ...]] = {
            "path": str,
            "size": int,
            "sha256": str,
            "block": int,
            "idle_s": (int, float),
        }
        good = all(isinstance(order[key], kind) for key, kind in kinds.items())
        path = order["path"]
        good = good and path.startswith("/") and path[-1] != "/" and "\0" not in path and order["size"] >= 0
        if good and order["block"] > 0 and 0 < order["idle_s"] <= 3600 and os.fsencode(path):
            return dict(order)
    except (ValueError, TypeError, LookupError, RecursionError):
        pass
    raise OSError(errno.EINVAL, "this is no order for an upload")


def widen(pipe: int) -> None:
    """sshd hands over what arrives through a pipe of 64 KiB; one of CHUNK halves the switches between the two."""
    with contextlib.suppress(OSError):  # no pipe, or no such size here: slower, nothing else
        fcntl.fcntl(pipe, SET_PIPE_SIZE, CHUNK)


def main() -> None:
    widen(0)
    speaker = Speaker()
    order: dict[str, Any] = {"path": "/", "size": 0}
    try:
        order = order_in(sys.argv[1])
        speaker.say(receive(order, speaker))
    except Cut:
        pass
    except OSError as error:
        speaker.say({"error": failure(error, order["path"], order["size"])})
    os._exit(
        0
    )  # at once: the heartbeat's thread could hold stdout's lock, which an orderly exit would trip over


if __name__ == "__main__":
    main()
