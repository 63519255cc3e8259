"""Does the steps that install or remove a service, and takes them back where one fails.

Knows files and commands; not which ones make a service.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from edgeq.deliver.device_answer import last_lines
from edgeq.errors import DeviceError, LinkLost, RemoteFailed, Unreachable
from edgeq.nouns.service import RemoveFile, RunCommand, SendFile, ServiceStep, WriteFile
from edgeq.plain_text import shell_command
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


def do(step: ServiceStep, transport: Transport) -> None:
    """Raises DeviceError."""
    match step:
        case WriteFile():
            _make_hold(step, step.text, transport)
        case RemoveFile():
            _make_hold(step, None, transport)
        case SendFile():
            transport.put(Path(step.source), step.path, sha256=step.sha256)
        case RunCommand():
            _run(step, transport)


def take_back(step: ServiceStep, transport: Transport) -> None:
    """The device as it was before `do`. Raises DeviceError."""
    match step:
        case WriteFile() | RemoveFile():
            _make_hold(step, step.before, transport)
        case SendFile():
            run(transport, ("rm", "-f", step.path))
        case RunCommand() if step.undo:
            run(transport, step.undo)


def _make_hold(step: WriteFile | RemoveFile, text: str | None, transport: Transport) -> None:
    """The step's file; None: it is gone, and the folders that were made for it."""
    if text is not None:
        run(transport, (*step.prefix, "sh", "-c", _WRITE, "sh", step.path), stdin=text.encode())
    else:
        run(transport, (*step.prefix, "sh", "-c", _UNWRITE, "sh", step.path, *step.parents))


def _run(step: RunCommand, transport: Transport) -> None:
    if not step.words:
        return
    try:
        run(transport, step.words)
    except RemoteFailed as error:
        if step.forgive:
            return
        seen = last_lines(transport.run(step.look).stdout, 20) if step.look else ()
        raise RemoteFailed(error.what, error.remedy, details=(*error.details, *seen)) from None


def apply(steps: Sequence[ServiceStep], transport: Transport, told: Callable[[ServiceStep], None]) -> None:
    """Do all, or take back what was done. Raises the failure that stopped it, with what could not be taken back.

    Ctrl-C is a failure too; over a link that is gone nothing can be taken back, which the error then says.
    """
    begun: list[ServiceStep] = []
    try:
        for step in steps:
            told(step)
            begun.append(step)
            do(step, transport)
    except BaseException as error:
        left = [] if isinstance(error, (LinkLost, Unreachable)) else _take_back_all(begun, transport)
        if isinstance(error, DeviceError):
            error.details = (*error.details, *_words_on(left, error))
        raise


def run(transport: Transport, words: Sequence[str], stdin: bytes = b"") -> Completed:
    """Raises RemoteFailed unless the exit code is 0, with what the command said last."""
    done = transport.run(words, stdin=stdin, timeout_s=_TIMEOUT_S)
    if done.code == 0:
        return done
    said = last_lines(done.stderr or done.stdout, 8)
    raise RemoteFailed(
        f"`{shell_command(words)}` failed on {transport.label} (exit code {done.code})", details=said
    )


def _take_back_all(begun: Sequence[ServiceStep], transport: Transport) -> list[str]:
    """What could not be taken back, in words."""
    left = []
    for step in reversed(begun):
        try:
            take_back(step, transport)
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
