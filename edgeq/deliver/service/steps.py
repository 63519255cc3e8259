"""What installing and removing a service is made of: steps that can be printed, done, and taken back.

Knows files and commands; not which ones make a service.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeq.deliver.device_answer import last_lines
from edgeq.errors import DeviceError, LinkLost, RemoteFailed, Unreachable
from edgeq.nouns.record import Record
from edgeq.transport.base import Completed, Transport

# $1 the file, stdin its text. Beside and renamed: no reader ever sees half a file, and a power cut leaves the old one.
_WRITE = (
    'umask 022; mkdir -p "$(dirname "$1")" && cat >"$1.edgeq-new" && chmod 644 "$1.edgeq-new" '
    '&& sync "$1.edgeq-new" && mv -T "$1.edgeq-new" "$1"'
)
# $1 the file, the rest folders that go when they are empty.
_UNWRITE = (
    'rm -f "$1" "$1.edgeq-new"; shift; for f; do [ ! -d "$f" ] || rmdir --ignore-fail-on-non-empty "$f"; done'
)
_TIMEOUT_S = 120.0


class Step(Protocol):
    """`lines` are for people: what is done, and with what."""

    def lines(self) -> tuple[str, ...]: ...
    def do(self, transport: Transport) -> None: ...
    def take_back(self, transport: Transport) -> None: ...


@dataclass(frozen=True)
class Write(Record):
    """Make the file `path` hold `text`; `before` is what it held, None where it was not there. `parents` are folders
    that are made for such files and go with the last one.
    """

    path: str
    text: str
    before: str | None
    prefix: tuple[str, ...]
    parents: tuple[str, ...] = ()
    step: str = "write"

    def lines(self) -> tuple[str, ...]:
        verb = "write" if self.before is None else "rewrite"
        return (f"{verb} {self.path}", *(f"    {line}" for line in self.text.splitlines()))

    def do(self, transport: Transport) -> None:
        self._write(transport, self.text)

    def take_back(self, transport: Transport) -> None:
        if self.before is not None:
            self._write(transport, self.before)
        else:
            run(transport, (*self.prefix, "sh", "-c", _UNWRITE, "sh", self.path, *self.parents))

    def _write(self, transport: Transport, text: str) -> None:
        run(transport, (*self.prefix, "sh", "-c", _WRITE, "sh", self.path), stdin=text.encode())


@dataclass(frozen=True)
class Remove(Record):
    """Remove a file that is no longer wanted."""

    path: str
    before: str
    prefix: tuple[str, ...]
    parents: tuple[str, ...] = ()
    step: str = "remove"

    def lines(self) -> tuple[str, ...]:
        return (f"remove {self.path}",)

    def do(self, transport: Transport) -> None:
        run(transport, (*self.prefix, "sh", "-c", _UNWRITE, "sh", self.path, *self.parents))

    def take_back(self, transport: Transport) -> None:
        Write(self.path, self.before, None, self.prefix).do(transport)


@dataclass(frozen=True)
class Do(Record):
    """Run `words`; on the way back run `undo`. Without `words` there is only the way back.

    `forgive`: its failure changes nothing that matters. `look`: a command whose output explains a failure.
    """

    why: str
    words: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    forgive: bool = False
    step: str = "run"

    def lines(self) -> tuple[str, ...]:
        return (f"run {' '.join(map(_shown, self.words))}", f"    # {self.why}") if self.words else ()

    def do(self, transport: Transport) -> None:
        if not self.words:
            return
        try:
            run(transport, self.words)
        except RemoteFailed as error:
            if self.forgive:
                return
            seen = last_lines(transport.run(self.look).stdout, 20) if self.look else ()
            raise RemoteFailed(error.what, error.remedy, details=(*error.details, *seen)) from None

    def take_back(self, transport: Transport) -> None:
        if self.undo:
            run(transport, self.undo)


@dataclass(frozen=True)
class Send(Record):
    """Bring a file of this host."""

    source: str
    path: str
    sha256: str
    step: str = "send"

    def lines(self) -> tuple[str, ...]:
        return (f"send {self.path}",)

    def do(self, transport: Transport) -> None:
        transport.put(Path(self.source), self.path, sha256=self.sha256)

    def take_back(self, transport: Transport) -> None:
        run(transport, ("rm", "-f", self.path))


def apply(steps: Sequence[Step], transport: Transport, told: Callable[[Step], None]) -> None:
    """Do all, or take back what was done. Raises the failure that stopped it, with what could not be taken back.

    Ctrl-C is a failure too; over a link that is gone nothing can be taken back, which the error then says.
    """
    begun: list[Step] = []
    try:
        for step in steps:
            told(step)
            begun.append(step)
            step.do(transport)
    except BaseException as error:
        left = [] if isinstance(error, (LinkLost, Unreachable)) else _take_back(begun, transport)
        if isinstance(error, DeviceError):
            error.details = (*error.details, *_words_on(left, error))
        raise


def run(transport: Transport, words: Sequence[str], stdin: bytes = b"") -> Completed:
    """Raises RemoteFailed unless the exit code is 0, with what the command said last."""
    done = transport.run(words, stdin=stdin, timeout_s=_TIMEOUT_S)
    if done.code == 0:
        return done
    said = last_lines(done.stderr or done.stdout, 8)
    shown = " ".join(map(_shown, words))
    raise RemoteFailed(f"`{shown}` failed on {transport.label} (exit code {done.code})", details=said)


def _take_back(begun: Sequence[Step], transport: Transport) -> list[str]:
    """What could not be taken back, in words."""
    left = []
    for step in reversed(begun):
        try:
            step.take_back(transport)
        except DeviceError as error:
            left.append(error.what)
    return left


def _words_on(left: Sequence[str], error: DeviceError) -> tuple[str, ...]:
    if isinstance(error, (LinkLost, Unreachable)):
        return (
            "what was done before could not be taken back over the broken link: run the same command again",
        )
    if left:
        return ("all was taken back but for:", *left)
    return ("everything that this run did was taken back",)


def _shown(word: str) -> str:
    plain = word and all(c.isalnum() or c in "-_./=:@%+,~" for c in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"
