"""What the tests of the service do with a device, in the words of the tests."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeq import catalog
from edgeq.deliver.activate import activate
from edgeq.deliver.jobs import entrant, make_job
from edgeq.deliver.lock import locked
from edgeq.deliver.provision import resolve
from edgeq.deliver.push import install, place_samples, push
from edgeq.deliver.session import Login, Session, session
from edgeq.deliver.wheel_upload import plan_wheels, upload_wheels
from edgeq.nouns.bundle import Artifact, Candidate, Manifest
from edgeq.nouns.job import Job, Limits
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.tensor import TensorSpec
from edgeq.request.tell import silence
from tests.lab import images
from tests.lab.device import LabDevice

TARGET = str(Path(__file__).parent / "lab.toml")
QUICK = Limits(seconds=5, min_rounds=1, max_rounds=2, block_ms=5, load_seconds=60, check_seconds=10)
_PATIENCE_S = 90.0


@dataclass(frozen=True)
class Board:
    device: LabDevice

    @property
    def call(self) -> dict[str, Any]:
        """The arguments that say which device."""
        return {"target": TARGET, "login": Login(host=self.device.host)}

    def run(self, command: str, *, check: bool = True) -> str:
        return self.device.run(command, check=check).stdout.strip()

    def state(self, unit: str, key: str = "ActiveState", scope: str = "system") -> str:
        return self.run(f"systemctl --{scope} show -p {key} --value {unit}")

    @contextlib.contextmanager
    def session(self, root: str | None = None) -> Iterator[Session]:
        with session(
            catalog.target(TARGET), self.call["login"], root=root, look_only=False, tell=silence
        ) as s:
            yield s

    def files(self) -> set[str]:
        """Everything on the disk but for what each login, each command and the system's own clockwork change."""
        # -xdev: /proc, /sys, /run and the like are mounts of their own.
        found = self.device.run_as_root("find / -xdev -printf '%y %u:%g %m %p\\n'").stdout.splitlines()
        moving = (
            "/var/log/",
            "/var/lib/systemd/timers",
            "/var/lib/systemd/random-seed",
            "/var/cache/",
            "/var/tmp/",
        )
        backups = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock")
        backups += ("/home/pi/.sudo_as_admin_successful",)  # sudo's own
        return {f for f in found if not any(m in f for m in moving) and f.rsplit(" ", 1)[-1] not in backups}

    def results(self, root: str) -> list[str]:
        return self.run(f"ls {root}/results", check=False).split()

    def wait_for_result(self, root: str, id: str = "", count: int = 1) -> list[dict[str, Any]]:
        """The stored measurements whose id contains `id`, once there are `count`."""
        deadline = time.monotonic() + _PATIENCE_S
        listing = f"ls {root}/results/*{id}*/measurement.json 2>/dev/null"
        while len(paths := self.run(listing, check=False).split()) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"no result of {id or 'any job'}:\n{self.journal()}")
            time.sleep(0.1)
        return [json.loads(self.run(f"cat {path}")) for path in paths]

    def journal(self) -> str:
        return self.run("sudo journalctl --no-pager -n 60 -u 'edgeq-*'", check=False)

    def wait_until(self, unit: str, state: str, scope: str = "system") -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while self.state(unit, scope=scope) != state:
            if time.monotonic() > deadline:
                raise AssertionError(f"{unit} is not {state}:\n{self.journal()}")
            time.sleep(0.05)


def deploy_relu(device: Session, folder: Path, *, with_runtimes: bool = True) -> Job:
    """Make relu live there, as ONNX and as TFLite, with both runtimes; the job that measures both of them."""
    import numpy as np

    from tests.deliver.provision.tiny_models import write_onnx, write_tflite

    models = {
        "onnxruntime": write_onnx(folder / "model.onnx"),
        "litert": write_tflite(folder / "model.tflite"),
    }
    np.save(folder / "x.npy", np.array([[[-2, -1, 1, 2]], [[3, -3, 0, 1]]], np.float32))
    manifest = _manifest(models)
    sets = tuple(
        resolve(runtime, device.facts, device.target, cache=images.cache_folder() / "wheels")
        for runtime in models
        if with_runtimes
    )
    wheels = plan_wheels(device.link, sets)
    files = {_sha256(p): p for p in (*models.values(), folder / "x.npy")}
    with locked(device.link, "test") as token:
        upload_wheels(device.link, token, wheels, silence)
        push(device.link, files, {sha: p.stat().st_size for sha, p in files.items()}, silence)
        samples = place_samples(device.link, token, (_sha256(folder / "x.npy"),))
        install(device.link, token, manifest)
        entrants = tuple(
            entrant(c, "relu", manifest.digest, wheels.python_path(c.runtime), 1, c.id)
            for c in manifest.candidates
        )
        job = make_job("measure", "relu", entrants, samples, QUICK)
        activate(device.link, token, "relu", manifest.digest, "onnxruntime", 3, job, not_compared=None)
    return job


def another(job: Job) -> Job:
    """The same work under an id of its own."""
    return replace(job, id=make_job(job.kind, job.app, (), "", QUICK).id)


def states(measurement: Measurement) -> dict[str, str]:
    return {run.entrant: run.state for run in measurement.runs}


def _manifest(models: dict[str, Path]) -> Manifest:
    candidates, artifacts = [], []
    for runtime, path in models.items():
        place = f"candidates/{runtime}/{path.name}"
        candidates.append(Candidate(runtime, runtime, "float", place, ("x",), ("y",)))
        artifacts.append(Artifact(place, path.stat().st_size, _sha256(path)))
    spec = (TensorSpec("x", "float32", (1, 4)),), (TensorSpec("y", "float32", (1, 4)),)
    return Manifest(1, "relu", "lab", "0" * 64, None, *spec, None, tuple(candidates), tuple(artifacts))


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
