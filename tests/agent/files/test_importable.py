"""An application imports the runtime that came with what is live, and leaves nothing in the release that edgeq cannot remove."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeq.errors import BundleRefused
from edgeq.nouns.job import Job
from tests.agent.files.device import Bundle, Device, bundle, job, sha, wheel

WHEEL = wheel()
FOLDER = f"tiny-1.0-{sha(WHEEL)[:8]}"


def version(text: bytes) -> Bundle:
    return bundle(
        files={"candidates/ort/model.onnx": text, "candidates/ort/edgeq_runtime.py": b"ready = 1\n"}
    )


V1, V2, V3 = version(b"one"), version(b"two"), version(b"three")


def job_with_a_wheel() -> Job:
    known = job()
    return replace(known, entrants=(replace(known.entrants[0], python_path=(f"wheels/{FOLDER}",)),))


def deploy(device: Device, token: str, what: Bundle, **more: Any) -> Any:
    return device.deploy(token, what, **{"job": job_with_a_wheel().to_dict(), **more})


def run(device: Device, code: str) -> str:
    """As an application that knows `current` alone."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(device.root / "apps/net/current")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


THREE_LINES = """
import json, os, sys
folder = os.path.realpath(sys.argv[1])
contract = {"python_path": "python_path.json"}
sys.path[:0] = [os.path.join(folder, p) for p in json.load(open(os.path.join(folder, contract["python_path"])))]
import tiny
print(tiny.answer, os.path.realpath(tiny.__file__))
"""


def test_the_path_leads_to_the_wheels_from_wherever_the_root_is(device: Device, token: str) -> None:
    device.upload(WHEEL)
    device.call("unpack", token=token, sha256=sha(WHEEL), name=FOLDER)
    deploy(device, token, V1)
    assert run(device, THREE_LINES) == f"42 {device.root / 'wheels' / FOLDER / 'tiny/__init__.py'}"

    moved = replace(device, root=device.root.with_name("moved"))
    device.root.rename(moved.root)
    assert run(moved, THREE_LINES) == f"42 {moved.root / 'wheels' / FOLDER / 'tiny/__init__.py'}"


def test_a_rollback_leads_there_too_also_to_what_an_older_agent_installed(device: Device, token: str) -> None:
    deploy(device, token, V1)
    path = device.root / "apps/net/releases" / V1.digest / "candidates/ort/python_path.json"
    path.unlink()
    deploy(device, token, V2)
    device.call("rollback", token=token, app="net")
    assert json.loads(path.read_text()) == [f"../../../../../../wheels/{FOLDER}"]


def test_nothing_is_said_of_what_is_not_known(device: Device, token: str) -> None:
    device.deploy(token, V1)
    assert not (device.root / "apps/net/current/python_path.json").exists()


@pytest.mark.parametrize("what", ["activate", "rollback", "prune", "uninstall"])
def test_what_python_compiles_there_is_nobodys_file(device: Device, token: str, what: str) -> None:
    deploy(device, token, V1)
    import_it = (
        "import sys; sys.dont_write_bytecode = False; sys.path.insert(0, sys.argv[1]); import edgeq_runtime"
    )
    run(device, import_it)
    release = device.root / "apps/net/releases" / V1.digest
    assert list(release.glob("candidates/ort/__pycache__/edgeq_runtime.*.pyc"))
    if what == "activate":
        assert deploy(device, token, V1)["kept"] is None
        assert list(release.glob("candidates/ort/__pycache__/*.pyc"))
    elif what == "uninstall":
        device.call("remove", token=token, everything=True)
        assert not device.root.exists() or not list(device.root.rglob("*"))
    else:
        deploy(device, token, V2, keep=1)
        if what == "rollback":
            assert device.call("rollback", token=token, app="net")["kept"] is None
        else:
            deploy(device, token, V3, keep=1)
            assert sorted(p.name for p in release.parent.iterdir()) == sorted([V2.digest, V3.digest])


def test_what_somebody_else_puts_there_is_still_theirs(device: Device, token: str) -> None:
    deploy(device, token, V1)
    folder = device.root / "apps/net/current"
    (folder / "__pycache__/mine.txt").write_text("mine")
    kept = deploy(device, token, V1)["kept"]
    assert (Path(kept) / "candidates/ort/__pycache__/mine.txt").read_text() == "mine"


def test_no_bundle_brings_a_path_of_its_own(device: Device, token: str) -> None:
    planted = bundle(files={"candidates/ort/model.onnx": b"", "candidates/ort/python_path.json": b'["/tmp"]'})
    with pytest.raises(BundleRefused) as refused:
        device.deploy(token, planted)
    assert any("the agent's own" in line for line in refused.value.details)
