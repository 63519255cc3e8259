"""This machine as a device: a folder and a subprocess. The same messages, and the same write to a temporary file and rename, as over SSH."""

import os
import select
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE
from typing import IO

from edgeq.errors import ArtifactCorrupt, ReadOnly, RemoteFailed

from . import receive_on_device as device
from .arrival import BLOCK, Failure, corrupt, refused, sha256_of, verified_prefix
from .base import MOST_OUTPUT, MOST_STDERR, Completed, Progress, Sent, Tail, too_much


class LocalTransport:
    label = "this machine"
    route = ""

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        try:
            process = subprocess.Popen(list(command), stdin=PIPE, stdout=PIPE, stderr=PIPE, bufsize=0)
        except FileNotFoundError:
            return Completed(127, b"", f"{command[0]}: not found\n".encode())  # what a shell would have said
        except PermissionError:
            return Completed(126, b"", f"{command[0]}: not permitted\n".encode())
        return _finished(process, stdin, timeout_s, command[0], self.label)

    def put(
        self, source: Path, destination: str, *, sha256: str | None = None, progress: Progress | None = None
    ) -> Sent:
        expected = sha256 or sha256_of(source)
        size = source.stat().st_size
        try:
            outcome = self._receive(source, destination, size, expected, progress)
            if isinstance(outcome, str):  # the wrong part is gone now: once more, from the start
                outcome = self._receive(source, destination, size, expected, progress)
        except OSError as error:
            raise refused(self.label, Failure.from_dict(device.failure(error, destination, size))) from error
        except device.Cut:
            raise ArtifactCorrupt(f"{source} became shorter while it was copied", "run again") from None
        if isinstance(outcome, str):
            raise corrupt(self.label, destination, expected, outcome, source)
        return outcome

    def _receive(
        self, source: Path, destination: str, size: int, expected: str, progress: Progress | None
    ) -> Sent | str:
        """One attempt; the sha256 that was found when it is not the expected one."""
        folder = str(Path(destination).parent)
        began = time.perf_counter()
        device.make_folder(folder)
        if device.holds(destination, size, expected):
            _report(progress, size)
            return Sent(0, size, 0.0, time.perf_counter() - began, 1)
        with device.open_part(destination, patience_s=2.0) as part, source.open("rb") as file:
            found = device.survey(part, folder, size, BLOCK)
            start = verified_prefix(source, found["blocks"], found["have"])
            _report(progress, start)
            file.seek(start)
            reported = start

            def arrived(at: int) -> None:
                nonlocal reported
                _report(progress, at - reported)
                reported = at

            device.append(file.read, part, start, size, arrived)
            sent_s = time.perf_counter() - began
            reply = device.seal(part, destination, size, expected)
        if "corrupt" in reply:
            _report(progress, -size)
            return str(reply["corrupt"])
        return Sent(size - start, start, sent_s, reply["hash_s"] + reply["sync_s"], 1)

    def get(self, source: str, destination: Path, *, most_bytes: int = MOST_OUTPUT) -> None:
        destination.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
        os.close(handle)
        try:
            if Path(source).stat().st_size > most_bytes:
                raise too_much(self.label, f"fetching {source}", most_bytes)
            shutil.copyfile(source, beside)
            Path(beside).replace(destination)
        except PermissionError as error:
            raise ReadOnly(f"{source} may not be read: {error.strerror}", "check its permissions") from error
        except OSError as error:
            raise RemoteFailed(f"{source} cannot be fetched from {self.label}: {error.strerror}") from error
        finally:
            Path(beside).unlink(missing_ok=True)

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def close(self) -> None:
        pass


def _finished(
    process: "subprocess.Popen[bytes]", stdin: bytes, timeout_s: float, name: str, label: str
) -> Completed:
    """Feed, drain, and wait for the exit code. Raises RemoteFailed past `timeout_s` and for too much output; whatever is
    raised, the process is gone.
    """
    until = time.monotonic() + timeout_s
    with process:
        try:
            stdout, stderr = _talk(process, stdin, until, name, label)
            return Completed(process.wait(max(until - time.monotonic(), 0.1)), stdout, stderr)
        except subprocess.TimeoutExpired:
            raise RemoteFailed(
                f"{name} did not end within {timeout_s:g} s on {label}; it was killed",
                "allow it more time, or see what keeps it busy",
            ) from None
        finally:
            if process.poll() is None:
                process.kill()


def _talk(
    process: "subprocess.Popen[bytes]", stdin: bytes, until: float, name: str, label: str
) -> tuple[bytes, bytes]:
    """stdout, and the end of stderr. Raises TimeoutExpired when both are not closed by `until`."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr, left = bytearray(), Tail(), memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(until - time.monotonic(), 0.0))
            if not ready:
                raise subprocess.TimeoutExpired(name, 0)
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    left = _fed(process.stdin, left)
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    stdout += chunk
                else:
                    stderr.add(chunk)
            if len(stdout) > MOST_OUTPUT:
                raise too_much(label, name, MOST_OUTPUT)
            if stderr.full:
                raise too_much(label, name, MOST_STDERR)
    return bytes(stdout), bytes(stderr)


def _fed(pipe: "IO[bytes]", data: memoryview) -> memoryview:
    """What is left of `data`; nothing where the command reads no more, which it need not."""
    try:
        return data[os.write(pipe.fileno(), data[: select.PIPE_BUF]) :]
    except BrokenPipeError:
        return data[len(data) :]


def _report(progress: Progress | None, count: int) -> None:
    if progress is not None and count:
        progress(count)
