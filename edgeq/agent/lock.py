"""Who may change this device: one holder with a lease, in lock.json (docs/protocol.md).

The lease runs on the boot clock, so neither a wrong calendar nor a power cut leaves a device locked; a holder that is a
process of this very device loses it with its end. `lock.json` is only changed under flock on `lock`. Knows nothing of
what the holder does.
"""

import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from edgeq.agent.clock import boot_id, boot_ns, utc_now
from edgeq.agent.durable import make_folder, remove_file, write_json
from edgeq.agent.flocked import holder as flock_holder
from edgeq.agent.flocked import kept_by_another, lock_now, lock_within, owner
from edgeq.agent.layout import Root
from edgeq.agent.process import has_ended, identity
from edgeq.agent.stored import Unreadable, read_json
from edgeq.errors import DeviceBusy
from edgeq.nouns.record import Record

LEASE_S = 120.0
LONGEST_LEASE_S = 3600.0
_RENEW_EVERY_S = 40.0
_LOOK_AGAIN_S = 1.0
# The guard is held for a few file operations, or for the removal of what a cut left: seconds, on a slow card.
GUARD_S = 30.0
# A command that works on for a host that hung up may take as long as the longest job.
_TURN_S = 86400.0


@dataclass(frozen=True)
class Lock(Record):
    """`until_ns` is on the boot clock of the boot `boot_id`; past it, or in another boot, the lock is nobody's.
    `lent_to` is the job that the service may do under this lock, while its holder waits for the result; `given_up` one
    whose result its holder waits for no longer; `process` the holder's own, where that is one of this device; `before` the
    token that this one took the place of.
    """

    token: str
    who: str
    what: str
    since_utc: str
    boot_id: str
    until_ns: int
    lent_to: str = ""
    given_up: str = ""
    process: str = ""
    before: str = ""

    @property
    def seconds_left(self) -> float:
        return (self.until_ns - boot_ns()) / 1e9 if self.boot_id == boot_id() else 0.0

    def __str__(self) -> str:
        return (
            f"{self.what!r} by {self.who} since {self.since_utc}, for at least {self.seconds_left:.0f} s more"
        )


def holder(root: Root) -> Optional[Lock]:
    """Who holds the device now; None when nobody does."""
    lock = _stored(root)
    if lock is None or lock.seconds_left <= 0:
        return None
    # The job that it delegated the lock to continues without it.
    return None if lock.process and not lock.lent_to and has_ended(lock.process) else lock


def take(root: Root, who: str, what: str, lease_s: float = LEASE_S, pid: Optional[int] = None) -> Lock:
    """`pid` is the holder's process, where that is on this device. Raises DeviceBusy while another holds the device."""
    with guarded(root):
        held = holder(root)
        if held is not None:
            raise busy(held)
        until = boot_ns() + _ns(lease_s)
        process = identity(pid) if pid is not None else ""
        lock = Lock(secrets.token_hex(16), who, what, utc_now(), boot_id(), until, process=process)
        write_json(root.lock, lock.to_dict())
    return lock


def renew(
    root: Root,
    token: str,
    lease_s: float = LEASE_S,
    lend_to: Optional[str] = None,
    give_up: Optional[str] = None,
) -> Lock:
    """Lengthen the holder's lease; it never gets shorter. `lend_to`: from now on the service may do this job under it;
    `give_up`: the job that its host has abandoned. Raises DeviceBusy when `token` does not hold the device.

    A lease that has run out is renewed as long as nobody else took the device in between.
    """
    with guarded(root):
        lock = _own(root, token)
        until = max(lock.until_ns, boot_ns() + _ns(lease_s))
        marks = {"lent_to": lend_to, "given_up": give_up}
        longer = replace(lock, until_ns=until, **{k: v for k, v in marks.items() if v is not None})
        try:
            write_json(root.lock, longer.to_dict())
        except OSError as error:
            # A full disk must not keep its holder from making room, as long as the lease it has still runs.
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if lend_to is not None or give_up is not None or not full or lock.seconds_left <= 0:
                raise
    return longer


def take_anew(root: Root, token: str) -> Lock:
    """Hold the device by another token: a command that was sent with `token` and has not begun yet is refused from now
    on. Raises DeviceBusy when `token` does not hold the device.
    """
    with guarded(root):
        lock = _own(root, token)
        anew = replace(lock, token=secrets.token_hex(16), before=token)
        write_json(root.lock, anew.to_dict())
    return anew


def is_cancelled(root: Root, token: str, job: str) -> bool:
    """Whether the holder of `token` no longer waits for this job: it lost the device or abandoned the job."""
    lock = _stored(root)
    return lock is None or lock.token != token or lock.given_up == job


def release(root: Root, token: str) -> None:
    """Give the device back; of a lock that is another's by now, or nobody's, nothing is changed. Nor is a root made anew
    that was removed.
    """
    if not root.lock.exists():
        return
    with guarded(root):
        lock = _stored(root)
        if lock is not None and token in (lock.token, lock.before):
            remove_file(root.lock)


@contextlib.contextmanager
def held(root: Root, token: str, turn: Optional[Path] = None) -> Iterator[None]:
    """Show `token`, and keep its lease alive for as long as the work inside takes.

    A command whose host hung up works on, so what comes next under its token waits for it: one at a time per `turn`, a
    folder, by default the root.
    """
    renew(root, token)
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(root, token, done), daemon=True)
    keeper.start()
    try:
        with _one_at_a_time(root, token, turn or root.path):
            yield
    finally:
        done.set()
        keeper.join()


@contextlib.contextmanager
def taken(root: Root, who: str, what: str, wait_s: float = 0.0, job: Optional[str] = None) -> Iterator[str]:
    """Take the device for the work inside, which gets the token, and give it back; where its holder lends it to `job`,
    work under that lock and leave it to the holder. A process that is killed in between loses the device with its end.
    Raises DeviceBusy when it is not free within `wait_s`.
    """
    lock = _take_when_free(root, who, what, wait_s, job)
    try:
        with held(root, lock.token, turn=root.results):
            yield lock.token
    finally:
        if job is None or lock.lent_to != job:
            release(root, lock.token)


def busy(lock: Lock) -> DeviceBusy:
    return DeviceBusy(
        f"this device is busy: {lock}",
        "wait until it is done; if that process died, the lock expires after that time",
    )


def _take_when_free(root: Root, who: str, what: str, wait_s: float, job: Optional[str]) -> Lock:
    end = time.monotonic() + wait_s
    while True:
        lock = holder(root)
        if lock is not None and job is not None and lock.lent_to == job:
            return lock
        try:
            return take(root, who, what, pid=os.getpid())
        except DeviceBusy:
            if time.monotonic() >= end:
                raise
        time.sleep(_LOOK_AGAIN_S)


def _keep(root: Root, token: str, done: threading.Event) -> None:
    while not done.wait(_RENEW_EVERY_S):
        # What keeps the lease from being written (a full disk, a lock that was lost) meets the work itself too.
        with contextlib.suppress(OSError, DeviceBusy):
            renew(root, token)


def _own(root: Root, token: str) -> Lock:
    """Raises DeviceBusy when `token` does not hold the device."""
    lock = _stored(root)
    if lock is None or lock.token != token or lock.boot_id != boot_id():
        raise _lost(lock)
    return lock


def _lost(lock: Optional[Lock]) -> DeviceBusy:
    if lock is not None and lock.seconds_left > 0:
        return busy(lock)
    return DeviceBusy(
        "the lock on this device was lost: it expired, or the device restarted",
        "run it again",
    )


def _stored(root: Root) -> Optional[Lock]:
    try:
        return Lock.from_dict(read_json(root.lock))
    except (FileNotFoundError, Unreadable, ValueError):
        return None  # edgeq writes the file whole; a file that is no lock is held by nobody


@contextlib.contextmanager
def guarded(root: Root) -> Iterator[None]:
    """Held for a few file operations only; the kernel lets go of it when the process dies. Raises DeviceBusy when another
    process has had it for GUARD_S.
    """
    make_folder(root.path)
    handle = open_guard(root.lock_guard)
    try:
        lock_within(handle, GUARD_S, root.lock_guard)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _one_at_a_time(root: Root, token: str, turn: Path) -> Iterator[None]:
    """Raises DeviceBusy when the device became another's while this waited."""
    make_folder(turn)
    handle = os.open(turn, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not lock_now(handle):
            _wait_for_turn(handle, turn)
            renew(root, token)
        yield
    finally:
        os.close(handle)


def _wait_for_turn(handle: int, turn: Path) -> None:
    """As long as a command of edgeq's may take. Anybody who may look into the folder can lock it: a process of a user who has
    no business in it is waited for only as long as for the guard. Raises DeviceBusy.
    """
    start = time.monotonic()
    while not lock_now(handle):
        waited = time.monotonic() - start
        pid = flock_holder(handle)
        if waited >= (GUARD_S if pid is not None and _has_no_access(pid, turn) else _TURN_S):
            raise kept_by_another(handle, turn, waited)
        time.sleep(min(_LOOK_AGAIN_S, 0.05 + waited))


def _has_no_access(pid: int, turn: Path) -> bool:
    """Whether a process is of a user who does not own the folder, is not root, and is not in the group that shares it."""
    uid, info = owner(pid), turn.stat()
    if uid is None or uid in (os.geteuid(), info.st_uid, 0):
        return False
    return not (info.st_mode & 0o2000 and uid in _members(info.st_gid))


def _members(gid: int) -> set[int]:
    """The user ids of a group's members."""
    import grp
    import pwd

    try:
        names = grp.getgrgid(gid).gr_mem
    except KeyError:
        names = []
    everyone = pwd.getpwall()
    return {entry.pw_uid for entry in everyone if entry.pw_gid == gid or entry.pw_name in names}


def open_guard(path: Path) -> int:
    """A file that is only locked, made where it is not there. Only those who share the root may open, and so lock it."""
    mode = 0o660 if path.parent.stat().st_mode & 0o2000 else 0o600
    handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    info = os.fstat(handle)
    if info.st_mode & 0o7 and info.st_uid == os.geteuid():  # made by an older edgeq
        os.fchmod(handle, mode)
    return handle


def _ns(lease_s: float) -> int:
    return int(min(max(lease_s, 1.0), LONGEST_LEASE_S) * 1e9)
