"""`edgeq status NAME --code`: a whole program for what is live on a device, with the paths of that device."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeq
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from tests.conftest import missing
from tests.end_to_end.command_line import edgeq as typed

INCLUDE = Path(__file__).parents[1] / "example_code/include"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This machine with the demo's digits live in a root of their own."""
    folder = tmp_path_factory.mktemp("device")
    model, data = demo_files()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        limits = edgeq.Limits(seconds=0.5, max_rounds=1)
        there = {"root": folder / "root", "store": folder / "s.db", "limits": limits}
        edgeq.deploy(model, data=data, name="digits", runtime="onnxruntime", **there)
        yield folder / "root"


def test_python_runs_where_the_model_lives(root: Path, tmp_path: Path) -> None:
    code = edgeq.status("digits", code="python", root=root).code
    assert code is not None and f"{root}/apps/digits/current" in code
    (tmp_path / "run.py").write_text(code)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digit [1, 10] [")


def test_cpp_compiles_and_names_the_live_file(root: Path, tmp_path: Path) -> None:
    code = edgeq.status(code="c++", root=root).code  # the only model there need not be named
    assert code is not None and f'"{root}/apps/digits/current/model.onnx"' in code
    (tmp_path / "run.cc").write_text(code)
    if shutil.which("g++") is None:
        missing("there is no C++ compiler (apt-get install g++)")
    words = ["g++", "-std=c++17", "-fsyntax-only", f"-I{INCLUDE}", str(tmp_path / "run.cc")]
    assert subprocess.run(words).returncode == 0


def test_the_command_prints_the_program_alone(root: Path, tmp_path: Path) -> None:
    words = ("status", "digits", "--code", "python", "--root", str(root))
    assert typed(tmp_path, *words).stdout == edgeq.status("digits", code="python", root=root).code
    document = json.loads(typed(tmp_path, *words, "--json").stdout)
    assert document["code"] == edgeq.status("digits", code="python", root=root).code


def test_a_name_shows_that_model_alone(root: Path, tmp_path: Path) -> None:
    status = edgeq.status("digits", root=root).status
    assert status is not None and [app.name for app in status.apps] == ["digits"]
    for code in (None, "python"):
        with pytest.raises(TargetRefused, match="has nothing under the name other"):
            edgeq.status("other", code=code, root=root)
        with pytest.raises(TargetRefused, match="nothing under the name digits"):
            edgeq.status("digits", code=code, root=tmp_path)
    with pytest.raises(TargetRefused, match="has nothing live"):
        edgeq.status(code="python", root=tmp_path)
    assert edgeq.status(root=tmp_path).status is None


def test_a_release_without_the_module_is_said(root: Path, tmp_path: Path) -> None:
    older = tmp_path / "root"
    shutil.copytree(root, older, symlinks=True)
    (older / "apps/digits/current/edgeq_runtime.py").unlink()
    with pytest.raises(TargetRefused, match="its release has no edgeq_runtime.py"):
        edgeq.status("digits", code="python", root=older)
    assert edgeq.status("digits", code="c++", root=older).code
