"""A device for tests: a folder, and the real agent archive run by a Python of choice. Bundles and wheels in few lines."""

import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeq.errors import from_dict
from edgeq.nouns.bundle import Artifact, Candidate, Manifest
from edgeq.nouns.job import Entrant, Job, Limits
from edgeq.nouns.tensor import TensorSpec

X = TensorSpec("x", "float32", (1, 4))


@dataclass(frozen=True)
class Device:
    root: Path
    archive: Path
    python: str = sys.executable

    def run(self, command: str, stdin: bytes = b"", **options: Any) -> "subprocess.CompletedProcess[bytes]":
        words = [self.python, "-I", str(self.archive), "--root", str(self.root), command]
        return subprocess.run(words, input=stdin, capture_output=True, timeout=120, check=False, **options)

    def call(self, command: str, /, **payload: Any) -> Any:
        """The answer, or the agent's error raised as the host would."""
        done = self.run(command, json.dumps(payload).encode())
        assert done.returncode in (0, 1), done.stderr.decode()
        said = json.loads(done.stdout)
        if done.returncode:
            raise from_dict(said["error"])
        return said

    def lock(self) -> str:
        return str(self.call("lock", who="ann@host", what="a test")["token"])

    def upload(self, *contents: bytes) -> None:
        """Files as they lie in incoming/ after an upload was sealed."""
        (self.root / "incoming").mkdir(parents=True, exist_ok=True)
        for data in contents:
            (self.root / "incoming" / sha(data)).write_bytes(data)

    def deploy(self, token: str, bundle: "Bundle", candidate: str = "ort", **more: Any) -> Any:
        self.upload(*bundle.files.values())
        self.call("install", token=token, manifest=bundle.manifest.to_dict())
        request = {"app": bundle.manifest.name, "digest": bundle.digest, "candidate": candidate}
        return self.call("activate", token=token, **{**request, **more})

    def live_model(self, app: str = "net") -> bytes:
        return (self.root / "apps" / app / "current" / "model.onnx").read_bytes()

    def leftovers(self) -> list[str]:
        """What no cut may leave behind once `sweep` has run."""
        incoming = list((self.root / "incoming").glob("*"))
        return [str(p) for p in (*self.root.rglob(".*.tmp"), *incoming)]


@dataclass(frozen=True)
class Bundle:
    manifest: Manifest
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        return self.manifest.digest


def bundle(name: str = "net", files: "dict[str, bytes] | None" = None, **changes: Any) -> Bundle:
    """Each candidates/<id>/model.onnx of `files` is a candidate."""
    files = files or {"candidates/ort/model.onnx": b"weights", "candidates/ort/contract.json": b"{}"}
    manifest = Manifest(
        schema=1,
        name=name,
        target="local",
        source_sha256="0" * 64,
        data_sha256=None,
        inputs=(X,),
        outputs=(X,),
        preprocessing=None,
        candidates=tuple(
            Candidate(path.split("/")[1], "onnxruntime", "float", path, ("x",), ("y",))
            for path in files
            if path.endswith("model.onnx")
        ),
        artifacts=tuple(Artifact(path, len(data), sha(data)) for path, data in files.items()),
    )
    return Bundle(Manifest(**{**vars(manifest), **changes}), files)


def job(id: str = "job-1", model: str = "apps/net/current/model.onnx", **changes: Any) -> Job:
    entrant = Entrant("ort", "onnxruntime", model, "0" * 64, ("x",), ("y",))
    limits = Limits(seconds=0.2, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)
    known = Job(id, "smoke", "net", (entrant,), "", limits=limits, requested_by="ann@host")
    return Job(**{**vars(known), **changes})


def wheel(files: "dict[str, bytes] | None" = None, name: str = "tiny", **changes: bytes) -> bytes:
    """A valid wheel; `changes` are written into the zip after RECORD was made, under the path of that key."""
    files = dict(files or {f"{name}/__init__.py": b"answer = 42\n"})
    files[f"{name}-1.0.dist-info/WHEEL"] = b"Wheel-Version: 1.0\n"
    record = f"{name}-1.0.dist-info/RECORD"
    rows = [f"{path},sha256={_b64(data)},{len(data)}" for path, data in files.items()]
    files[record] = "\n".join([*rows, f"{record},,"]).encode()
    return zipped({**files, **changes})


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(
                zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED
            )  # an info of its own: no time in it
    return buffer.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
