"""This machine as a device: a folder and a subprocess. The same words, the same write-beside-and-rename as over SSH."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edgeq.errors import ArtifactCorrupt, ReadOnly, RemoteFailed

from . import receive_on_device as device
from .arrival import BLOCK, corrupt, refused, sha256_of, verified_prefix
from .base import Completed, Progress, Sent


class LocalTransport:
    label = "this machine"
    route = ""

    def run(self, command: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        try:
            done = subprocess.run(list(command), input=stdin, capture_output=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise RemoteFailed(
                f"{command[0]} did not end within {timeout_s:g} s on {self.label}; it was killed",
                "allow it more time, or see what keeps it busy",
            ) from None
        except FileNotFoundError:
            return Completed(127, b"", f"{command[0]}: not found\n".encode())  # what a shell would have said
        except PermissionError:
            return Completed(126, b"", f"{command[0]}: not permitted\n".encode())
        return Completed(done.returncode, done.stdout, done.stderr)

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
            raise refused(self.label, device.failure(error, destination, size)) from error
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

    def get(self, source: str, destination: Path) -> None:
        destination.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
        os.close(handle)
        try:
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


def _report(progress: Progress | None, count: int) -> None:
    if progress is not None and count:
        progress(count)
