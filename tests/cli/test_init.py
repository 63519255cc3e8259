"""`edgeq init` writes what it is told and finds, and says what is left open and what works next."""

from pathlib import Path

import click.testing
import pytest

from edgeq.cli.main import cli
from edgeq.project import read_project


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*words: str) -> list[str]:
    done = click.testing.CliRunner().invoke(cli, ["init", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_one_model_and_its_samples_leave_nothing_open(here: Path) -> None:
    (here / "net.onnx").touch()
    (here / "calib.npz").touch()
    assert init() == ["wrote edgeq.toml for net.onnx", "next: edgeq deploy --target local"]
    project = read_project(Path("edgeq.toml"))
    assert (project.model, project.data, project.targets) == ("net.onnx", "calib.npz", {})


def test_two_files_that_could_hold_the_samples_are_named(here: Path) -> None:
    for name in ("net.onnx", "test.npz", "train.npz"):
        (here / name).touch()
    said = init("--target", "rpi4", "--host", "pi@10.0.0.5")
    assert said[1].startswith("data left open: test.npz, train.npz: which one holds the samples;")
    assert said[2] == "next: set `data` in edgeq.toml, then edgeq deploy --target rpi4"
    assert read_project(Path("edgeq.toml")).data is None


def test_a_torch_project_in_one_line() -> None:
    said = init("net.py:build", "--weights", "w.pt", "--data", "photos", "--preprocess", "imagenet")
    assert said == ["wrote edgeq.toml for net.py:build", "next: edgeq deploy --target local"]
    project = read_project(Path("edgeq.toml"))
    assert (project.weights, project.data, project.preprocess) == ("w.pt", "photos", "imagenet")


def test_in_an_empty_folder_the_next_step_is_one_that_works() -> None:
    said = init()
    assert said[1] == "model left open: there is no .onnx, .tflite or .pt2 file here"
    assert said[-1].startswith("next: set `model` in edgeq.toml")
    assert "edgeq demo" in said[-1]
    assert read_project(Path("edgeq.toml")).model is None
