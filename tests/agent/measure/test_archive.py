"""The agent as it lies on a device: one zip file, started by `python -I`, and its children from the same file."""

import json
import os
import select
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edgeq
from edgeq.nouns.measurement import Measurement

from .conftest import linear, never_ends

PACKAGE = Path(edgeq.__path__[0])
SHIPPED = ("__init__.py", "errors.py", "nouns", "agent", "compress")
RUN_JOB = """
import json, sys
sys.path.insert(0, sys.argv[1])
from edgeq.agent.measure import run_job
from edgeq.agent.spawn import child_command
from edgeq.nouns.job import Job
root = sys.argv[2]
measured = run_job(Job.from_dict(json.load(sys.stdin)), root, "agent", root + "/results")
print(json.dumps({"command": child_command()[0], "measured": measured.to_dict()}))
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "0123456789abcdef.pyz"
    with zipfile.ZipFile(path, "w") as zip_:
        zip_.writestr("__main__.py", "import sys\nfrom edgeq.agent.__main__ import main\nsys.exit(main())\n")
        for name in SHIPPED:
            files = [PACKAGE / name] if name.endswith(".py") else (PACKAGE / name).rglob("*.py")
            for file in files:
                zip_.write(file, f"edgeq/{file.relative_to(PACKAGE)}")
    return path


def test_children_come_from_the_archive(archive, device):
    job = device.job(device.entrant("float", linear(device.root / "m.onnx")))
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN_JOB, str(archive), str(device.root)],
        input=json.dumps(job.to_dict()),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)

    assert said["command"] == [sys.executable, "-I", str(archive), "child"]
    assert Measurement.from_dict(said["measured"]).runs[0].state == "ok"


def test_runtimes_and_meters_are_found_inside_the_archive(archive):
    program = (
        f"import sys; sys.path.insert(0, {str(archive)!r});"
        "from edgeq.agent.runtimes import runtime_names; from edgeq.agent.probes.energy import find_meter;"
        "from pathlib import Path; print(runtime_names(), sorted(find_meter(Path('/nowhere'))[1]))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == (
        "('litert', 'onnxruntime', 'tflite-runtime') ['battery', 'hwmon', 'ina', 'pi5_pmic', 'rapl']"
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl and pidfd are Linux's")
def test_a_model_that_never_ends_ends_with_the_agent(device):
    """The agent is killed while its child is deep in an endless loop, where no closed pipe is noticed."""
    job = device.job(device.entrant("loop", never_ends(device.root / "m.onnx")))
    program = (
        "import json, os, sys; from edgeq.agent.active_entrant import ActiveEntrant; from edgeq.nouns.job import Job;"
        "from pathlib import Path; job = Job.from_dict(json.loads(sys.argv[2]));"
        "entrant = ActiveEntrant('loop', job.entrants[0], job, Path(sys.argv[1])); child = entrant.started_child();"
        "child._send({'do': 'try', **entrant._session(), 'check': None}); child._line_within(1);"
        "print(child.pid, flush=True); os.read(0, 1); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(device.root), json.dumps(job.to_dict())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as agent:
        child = os.pidfd_open(int(agent.stdout.readline()))
        agent.stdin.close()  # only now may it die
    ended, _, _ = select.select([child], [], [], 20)
    os.close(child)

    assert agent.returncode == -9
    assert ended, "the child outlived the agent"
