"""The guard of a refactoring: what is made again is the same, and one file that is not is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ONE = ("--only", "mlp", "--targets", "rpi4", "--jobs", "1")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.artifact_digests", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_one_file_that_differs_is_named(tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    recorded = run("record", str(before), *ONE)
    assert recorded.returncode == 0, recorded.stderr
    document = json.loads(before.read_text())
    (candidate,) = (
        c for c in document["made"]["mlp rpi4 default"]["candidates"] if c["recipe"] == "int8_static"
    )
    candidate["sha256"] = "0" * 64
    before.write_text(json.dumps(document))
    compared = run("compare", str(before))
    assert compared.returncode == 1
    (line,) = compared.stdout.splitlines()
    assert line.startswith("mlp rpi4 default: onnxruntime-int8_static: another file")
