"""A device over SSH. Ties the parts together: which route (ssh_route), an open link (ssh_link), a command (ssh_run),
an upload (ssh_put); and decides what is tried again. Only files named ssh* know paramiko.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import paramiko

from edgeq.errors import DeviceError, DeviceUnfit, LinkLost, RemoteFailed, Unreachable

from .arrival import Reply, corrupt, no_receiver, refused, sha256_of
from .back_off import BackOff
from .base import MOST_OUTPUT, Completed, Progress, Sent
from .shell_words import one_line
from .ssh_hop import in_words
from .ssh_link import Link, open_link
from .ssh_memory import Ask, Memory
from .ssh_put import Ledger, Outcome, Upload, attempt
from .ssh_route import Choices, route_to
from .ssh_run import KILLED, execute, finish, stream

T = TypeVar("T")
BROKEN = (LinkLost, Unreachable)
MOST_FURTHER = 4  # connections besides the first
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # a shell's exit codes
_FIND_PYTHON = "command -v python3; ls /usr/bin/python3 /usr/local/bin/python3 /opt/*/bin/python3 2>/dev/null"


class SshTransport:
    """Safe to use from several threads: they share one connection, and one of them makes it anew when it broke.
    Where the server allows no further session on it (MaxSessions), further connections carry them.

    `silence_s`: so long may an upload hear nothing before the link counts as cut.
    """

    def __init__(
        self,
        host: str,
        choices: Choices = Choices(),  # noqa: B008 - frozen
        *,
        accept_new_host_key: bool = False,
        ask: Ask | None = None,
        on_note: Callable[[str], None] = lambda note: None,
        timeout_s: float = 15.0,
        silence_s: float = 20.0,
        back_off: BackOff = BackOff(),  # noqa: B008 - frozen
    ) -> None:
        self.label = host
        self._hops = route_to(host, choices, on_note)
        self.route = in_words(self._hops)
        self._accept_new_host_key = accept_new_host_key
        self._memory = Memory(ask)
        self._on_note = on_note
        self._timeout_s, self._silence_s, self._back_off = timeout_s, silence_s, back_off
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._further: tuple[Link, ...] = ()
        self._gone: LinkLost | None = None
        self._python = "python3"
        self._no_pythons: set[str] = set()

    def connect(self) -> None:
        """Raises Unreachable, HostKeyRefused, AuthRefused; a first connection is not tried twice."""
        self._connected()

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        link, channel = self._again(self._session, *BROKEN)
        execute(link, channel, one_line(command), self._timeout_s)
        return finish(link, channel, stdin, command[0], timeout_s)

    def put(
        self, source: Path, destination: str, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Sent:
        upload = Upload(source, destination, source.stat().st_size, sha256 or sha256_of(source))
        ledger = Ledger(progress)
        began = time.perf_counter()
        outcome, attempts = self._arrive(upload, ledger)
        if outcome.reply is not None and outcome.reply.corrupt is not None and ledger.reused:
            # What was resumed is gone now: once more, from the start.
            outcome, more = self._arrive(upload, ledger)
            attempts += more
        reply = outcome.reply or Reply()
        if reply.corrupt is not None:
            raise corrupt(self.label, destination, upload.sha256, reply.corrupt, source)
        if reply.error is not None:
            raise refused(self.label, reply.error)
        if not (reply.complete or reply.sealed):
            raise no_receiver(self.label, "its last word is none")
        send_s = time.perf_counter() - began - outcome.seal_s
        return Sent(ledger.sent, ledger.reused, send_s, outcome.seal_s, attempts)

    def get(self, source: str, destination: Path, *, most_bytes: int = MOST_OUTPUT) -> None:
        destination.parent.mkdir(parents=True, exist_ok=True)
        self._again(lambda: self._fetch(source, destination, most_bytes), *BROKEN)

    def exists(self, path: str) -> bool:
        return self._again(lambda: self._is_there(path), *BROKEN)

    def close(self) -> None:
        with self._lock:
            for link in (self._link, *self._further):
                if link is not None:
                    link.close()
            self._link, self._further = None, ()

    def _connected(self) -> Link:
        with self._lock:
            if self._gone is not None:  # whoever cleans up after the failure does not wait for the same again
                raise LinkLost(self._gone.what, self._gone.remedy)
            if self._link is None or not self._link.alive:
                again = self._link is not None
                self._link = open_link(
                    self._hops,
                    self._memory,
                    accept_new_host_key=self._accept_new_host_key and not again,
                    on_note=self._on_note,
                    timeout_s=self._timeout_s,
                )
                if again:
                    self._on_note(f"reconnected to {self.label}")
            return self._link

    def _session(self) -> tuple[Link, paramiko.Channel]:
        """Nothing has started yet, so this may be tried again.

        Waiting for a session of ours to end would not do: the lease of the device's lock is renewed, and Ctrl-C ends a
        measurement, while a command runs. So where the server refuses one more session, a further connection is made.
        """
        first = self._connected()
        for link in (first, *self._further):
            try:
                with link.in_use():
                    return link, link.session(self._timeout_s)
            except RemoteFailed as error:
                refused = error
            except LinkLost:  # the others are only lent a session each
                if link is first:
                    raise
        return self._session_on_one_more_link(refused)

    def _session_on_one_more_link(self, refused: RemoteFailed) -> tuple[Link, paramiko.Channel]:
        """Raises `refused` where that cannot be: many are open, or the login would need a person. Other threads see the
        link when its session is taken.
        """
        with self._lock:
            alive = tuple(link for link in self._further if link.alive)
            if len(alive) == MOST_FURTHER:
                raise refused
            try:
                link = open_link(
                    self._hops,
                    self._memory.without_asking(),
                    accept_new_host_key=False,
                    on_note=self._on_note,
                    timeout_s=self._timeout_s,
                )
            except DeviceError as error:
                raise refused from error
            try:
                with link.in_use():
                    channel = link.session(self._timeout_s)
            except DeviceError as error:
                link.close()
                raise refused from error
            if not alive:
                self._on_note(
                    f"{self.label} allows no further session on one connection (MaxSessions); opening another connection"
                )
            self._further = (*alive, link)
            return link, channel

    def _again(self, step: Callable[[], T], *after: type[DeviceError]) -> T:
        """A step that may be done twice, tried after these errors until the back-off gives up."""
        failures = 0
        while True:
            try:
                return step()
            except DeviceError as error:
                if not isinstance(error, after):
                    raise
                failures += 1
                self._wait_or_give_up(error, failures)

    def _wait_or_give_up(self, error: DeviceError, failures: int) -> None:
        if self._link is None or self._gone is not None:  # never connected, closed, or given up
            raise error
        if failures < self._back_off.tries:
            self._on_note(f"{error.what}; trying again")
            self._back_off.wait(failures)
        elif isinstance(error, Unreachable):
            self._gone = LinkLost(
                f"the connection to {self.label} was lost and could not be restored: {error.what}",
                "check that the device is on and in the network, then run again: finished uploads are not repeated",
            )
            raise self._gone from error
        else:
            raise error

    def _arrive(self, upload: Upload, ledger: Ledger) -> tuple[Outcome, int]:
        """Attempts until the receiver has said its last word. Only those that gain nothing count as failures."""
        attempts = failures = 0
        best = -1
        while True:
            attempts += 1
            try:
                outcome = self._attempt(upload, ledger)
                if outcome.reply is not None:
                    return outcome, attempts
                self._explain(outcome)
            except BROKEN as error:
                failures = 1 if ledger.reused > best else failures + 1
                best = max(best, ledger.reused)
                self._wait_or_give_up(error, failures)

    def _attempt(self, upload: Upload, ledger: Ledger) -> Outcome:
        link, channel = self._session()
        return attempt(link, channel, upload, ledger, self._python, self._silence_s, self._timeout_s)

    def _explain(self, outcome: Outcome) -> None:
        """The receiver ended without a word. Returns when another python3 was found to run it with."""
        if outcome.exit_code in (0, KILLED):
            raise LinkLost(f"the upload to {self.label} was cut off", "run again; the upload resumes")
        if outcome.exit_code not in (NOT_FOUND, NOT_EXECUTABLE):
            raise RemoteFailed(
                f"the receiver broke on {self.label} (exit code {outcome.exit_code})",
                "check the device's python3; it has to be 3.9 or newer",
                details=outcome.stderr.splitlines()[-3:],
            )
        found = self.run(["sh", "-c", _FIND_PYTHON]).stdout.decode("utf-8", "replace").split()
        self._no_pythons.add(self._python)
        others = [path for path in found if path not in self._no_pythons]
        if not others:
            raise DeviceUnfit(
                f"{self.label} has no python3 that runs",
                "install it there: sudo apt install python3",
                details=outcome.stderr.splitlines()[-3:],
            )
        self._python = others[0]

    def _is_there(self, path: str) -> bool:
        link, channel = self._session()
        execute(link, channel, one_line(["test", "-e", path]), self._timeout_s)
        return finish(link, channel, b"", "test", self._timeout_s).code == 0

    def _fetch(self, source: str, destination: Path, most_bytes: int) -> None:
        link, channel = self._session()
        execute(link, channel, one_line(["cat", "--", source]), self._timeout_s)
        handle, beside = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                code, stderr = stream(link, channel, file.write, most_bytes, f"fetching {source}")
            if code != 0:
                said = stderr.decode("utf-8", "replace").strip()[-400:]
                raise RemoteFailed(
                    f"{source} cannot be fetched from {self.label}: {said}",
                    "check the path on the device",
                )
            Path(beside).replace(destination)
        finally:
            Path(beside).unlink(missing_ok=True)
