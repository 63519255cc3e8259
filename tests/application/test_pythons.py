"""edgeq_runtime on every Python that it is for, with the very wheels that a device with that Python gets: its answers are the agent's.

The agent and the application are run by the same bare Python of this machine; nothing but the wheels is there to be imported.
"""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeq
from edgeq import catalog
from edgeq.application import load_lines
from edgeq.bundle import npy_bytes
from edgeq.deliver.agent_archive import AgentArchive
from edgeq.deliver.jobs import entrant, make_job
from edgeq.deliver.provision import resolve
from edgeq.nouns.bundle import Bundle
from edgeq.nouns.delivery import WheelSet
from edgeq.nouns.device import Facts
from edgeq.nouns.job import Job, Limits
from edgeq.nouns.target import Target
from tests.agent.files.conftest import PYENV
from tests.agent.files.device import Device, sha
from tests.application.same_as_agent import SAME_AS_AGENT, code_of_images, hash_of_images
from tests.conftest import missing
from tests.lab import images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Runtime -> the target whose bundle has a candidate for it, and the Pythons that it has wheels for on x86-64.
CASES = {
    "onnxruntime": ("rpi4", ("3.9", "3.10", "3.11", "3.12", "3.13")),
    "litert": ("rpi4", ("3.9", "3.10", "3.11", "3.12", "3.13")),
    "tflite-runtime": ("rpi4-32bit", ("3.9", "3.10", "3.11")),
}
SAMPLES = np.random.default_rng(0).random((64, 1, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("runtime", "python"),
    [(runtime, python) for runtime, (_, pythons) in CASES.items() for python in pythons],
)
def test_answers_as_the_agent_does(
    runtime: str, python: str, archive: AgentArchive, network: Path, tmp_path: Path
) -> None:
    device = Device(tmp_path / "root", archive.path, bare(python))
    bundle = converted(network, CASES[runtime][0], tmp_path)
    path = deployed(device, bundle, runtime)
    lines = load_lines(bundle.manifest.name, path, inputs=1, images=False)
    code = "\n".join([*lines, SAME_AS_AGENT, code_of_images()])
    home = tmp_path / "home"
    done = subprocess.run(
        [device.python, "-s", "-c", code],
        capture_output=True,
        text=True,
        env={"HOME": str(home)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    same, images = done.stdout.splitlines()[-2:]
    assert same == f"same on 32 samples with {runtime} on Python {python.replace('.', ' ')}"
    assert images == hash_of_images()
    assert not home.exists(), "onnxruntime writes nothing there"


def bare(python: str) -> str:
    found = sorted(PYENV.glob(f"{python}.*/bin/python"))
    if not found:
        missing(f"there is no Python {python} below ~/.pyenv")
    return str(found[-1])


def converted(network: Path, target: str, folder: Path) -> Bundle:
    np.savez(folder / "data.npz", x=SAMPLES)
    return edgeq.convert(f"{network}:build", target=target, data=folder / "data.npz").bundle


def deployed(device: Device, bundle: Bundle, runtime: str) -> str:
    """The path of `current` after the int8 candidate for `runtime` was brought there, run on 32 samples and made live."""
    manifest = bundle.manifest
    token = device.lock()
    wheels = unpacked(device, token, runtime)
    device.upload(*(bundle.artifact(a.path) for a in manifest.artifacts), npy_bytes(SAMPLES[:32, np.newaxis]))
    device.call("install", token=token, manifest=manifest.to_dict())
    samples = device.call("samples", token=token, files=[sha(npy_bytes(SAMPLES[:32, np.newaxis]))])["path"]
    candidate = next(c for c in manifest.candidates if (c.runtime, c.recipe) == (runtime, "int8_static"))
    racer = entrant(candidate, manifest.name, manifest.digest, wheels, 1, "int8")
    limits = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)
    job: Job = make_job("measure", manifest.name, (racer,), samples, limits)
    measured = device.call("work", token=token, job=job.to_dict())
    assert measured["runs"][0]["outputs"]["count"] == 32, json.dumps(measured)[:2000]
    request = {
        "app": manifest.name,
        "digest": manifest.digest,
        "candidate": candidate.id,
        "job": job.to_dict(),
    }
    return str(device.call("activate", token=token, **request)["path"])


def unpacked(device: Device, token: str, runtime: str) -> tuple[str, ...]:
    facts = Facts.from_dict(device.call("facts"))
    found: WheelSet = resolve(runtime, facts, any_version(runtime), cache=images.cache_folder() / "wheels")
    for wheel in found.wheels:
        device.upload(wheel.file.read_bytes())
        device.call("unpack", token=token, sha256=wheel.sha256, name=wheel.folder)
    return tuple(f"wheels/{wheel.folder}" for wheel in found.wheels)


def any_version(runtime: str) -> Target:
    """A target that sets no limits of its own on `runtime`."""
    known = catalog.target("x86-64")
    return replace(known, runtimes=tuple(r for r in known.runtimes if r.name != runtime))
