"""The environment of a converter is there whole or not at all. A wheel of one line stands for onnx2tf's hundred MB."""

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite.environment import built, ready
from edgeq.ingest.onnx_to_tflite.find_python import VARIABLE

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.usefixtures("own_python")


def pins(folder: Path, code: str = "", sha256: str | None = None) -> Path:
    """Requirements of one package, `tiny`, which runs `code` when it is imported."""
    wheel = folder / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", code)
        archive.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        archive.writestr(
            "tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny-1.dist-info/RECORD", "")
    file = folder / "pins.txt"
    file.write_text(
        f"tiny @ {wheel.as_uri()} --hash=sha256:{sha256 or hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    )
    return file


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "converters").iterdir() if path.name != ".lock")


def test_it_is_built_once_and_works(tmp_path):
    said: list[str] = []
    package = pins(tmp_path)
    python = built(tmp_path, said.append, package, "tiny")
    assert subprocess.run([python, "-I", "-c", "import tiny"], check=False).returncode == 0
    assert built(tmp_path, said.append, package, "tiny") == ready(tmp_path, package) == python
    assert len(said) == 1


@pytest.mark.lab
def test_a_debian_13_serves_from_outside(tmp_path, debian13, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(debian13))
    package = pins(tmp_path, "import ssl, sys\nassert sys.version_info[:2] == (3, 13)")
    python = built(tmp_path, print, package, "tiny")
    assert subprocess.run([python, "-I", "-c", "import tiny"], check=False).returncode == 0


def test_two_at_once_build_one(tmp_path):
    said: list[str] = []
    package = pins(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: built(tmp_path, said.append, package, "tiny"), range(2))
    assert first == second
    assert sum("building" in text for text in said) == 1


def test_what_does_not_load_is_not_kept(tmp_path):
    package = pins(tmp_path, "raise ImportError('libGL.so.1 is missing')")
    with pytest.raises(ExtraMissing, match="does not load") as refused:
        built(tmp_path, print, package, "tiny")
    assert "libGL.so.1 is missing" in refused.value.details[-1]
    assert left_in(tmp_path) == []


def test_other_bytes_than_the_pinned_are_refused(tmp_path):
    with pytest.raises(ExtraMissing, match="cannot be built") as refused:
        built(tmp_path, print, pins(tmp_path, sha256="0" * 64), "tiny")
    assert any("HASH" in line.upper() for line in refused.value.details)
    assert left_in(tmp_path) == []


def test_an_environment_whose_python_is_gone_is_built_anew(tmp_path):
    package = pins(tmp_path)
    python = built(tmp_path, print, package, "tiny")
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert ready(tmp_path, package) is None
    assert built(tmp_path, print, package, "tiny") == python


def test_what_lies_on_the_callers_path_does_not_count_as_installed(tmp_path, monkeypatch):
    package = pins(tmp_path)
    monkeypatch.setenv(
        "PYTHONPATH",
        str(next(built(tmp_path / "one", print, package, "tiny").parents[1].glob("lib/*/site-packages"))),
    )
    python = built(tmp_path / "two", print, package, "tiny")
    assert list(python.parents[1].glob("lib/python3.*/site-packages/tiny.py"))


def test_ctrl_c_leaves_nothing(tmp_path):
    """The package tells through a pipe that it is being tried, and then waits."""
    started = tmp_path / "started"
    os.mkfifo(started)
    package = pins(tmp_path, f"open({str(started)!r}, 'w').write('now')\nimport signal\nsignal.pause()")
    code = (
        "import sys; from pathlib import Path; from edgeq.ingest.onnx_to_tflite.environment import built\n"
        "built(Path(sys.argv[1]), print, Path(sys.argv[2]), 'tiny')"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(package)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as child:
        assert started.read_text() == "now"
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
    assert left_in(tmp_path) == []
