"""What `pip install edgeq` brings: the data folders too, and nothing heavy."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=280)
    (built,) = folder.glob("edgeq-*.whl")
    return built


def test_a_wheel_carries_targets_deploy_and_demo(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "edgeq/_shipped/targets/rpi4.toml",
        "edgeq/_shipped/deploy/bootstrap.sh",
        "edgeq/recipes/int8_static.toml",
        "edgeq/demo/digits_cnn.onnx",
        "edgeq/py.typed",
    ):
        assert wanted in names
    assert any(name.startswith("edgeq/_shipped/deploy/wheels/") for name in names)
    assert wheel.stat().st_size < 2_000_000


def test_an_installed_wheel_finds_its_data(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    words = [sys.executable, "-m", "edgeq", "targets"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "rpi4" in done.stdout


def test_the_core_is_light() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {requirement.split(">")[0].split("=")[0].strip() for requirement in project["dependencies"]}
    assert not needed & {
        "torch",
        "litert-torch",
        "litert-quantizer",
        "ai-edge-litert",
        "scikit-learn",
        "scipy",
    }
    assert {"torch", "android", "all"} <= set(project["optional-dependencies"])
