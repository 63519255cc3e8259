"""`edgeq init` writes what it is given and what it finds, and says what is left open and which command is next."""

from pathlib import Path

import click.testing
import pytest

from edgeq.cli.main import cli
from edgeq.errors import EdgeqError
from edgeq.ingest.find import torch_factories
from edgeq.request.project import read_project


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*words: str) -> list[str]:
    done = click.testing.CliRunner().invoke(cli, ["init", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def refused(*words: str) -> EdgeqError:
    with pytest.raises(EdgeqError) as error:
        click.testing.CliRunner().invoke(cli, ["init", *words], catch_exceptions=False)
    return error.value


def pictures(folder: Path) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        (folder / name / "0.png").touch()


def test_one_model_and_its_samples_leave_nothing_open(here: Path) -> None:
    (here / "net.onnx").touch()
    (here / "calib.npz").touch()
    assert init() == ["wrote edgeq.toml: model net.onnx, data calib.npz", "next: edgeq deploy --target local"]
    project = read_project(Path("edgeq.toml"))
    assert (project.options, project.targets) == ({"model": "net.onnx", "data": "calib.npz"}, {})


def test_two_files_that_could_hold_the_samples_are_named(here: Path) -> None:
    for name in ("net.onnx", "test.npz", "train.npz"):
        (here / name).touch()
    said = init("--target", "rpi4", "--host", "pi@10.0.0.5")
    assert said[1].startswith("data left open: test.npz, train.npz: which one holds the samples;")
    assert said[2] == "next: set `data` in edgeq.toml, then edgeq deploy --target rpi4"
    assert "data" not in read_project(Path("edgeq.toml")).options


def test_a_torch_model_its_weights_and_its_images_are_found(here: Path) -> None:
    (here / "net.py").write_text(RESNET)
    (here / "state.pth").touch()
    pictures(here / "photos")
    said = init()
    assert said[0] == "wrote edgeq.toml: model net.py:build, weights state.pth, data photos"
    assert said[1].startswith("preprocess left open: how were the images scaled in training?")
    assert said[2] == "next: set `preprocess` in edgeq.toml, then edgeq deploy --target local"
    project = read_project(Path("edgeq.toml"))
    assert project.options == {"model": "net.py:build", "weights": "state.pth", "data": "photos"}


@pytest.mark.parametrize(
    ("text", "built"),
    [
        ("class Net(nn.Module):\n def __init__(self, width=3): pass", ("Net",)),
        ("class Net(nn.Module):\n def __init__(self, width): pass", ()),
        (
            "class B(torch.nn.Module): pass\nclass Net(nn.Module):\n def __init__(self): self.b = B()",
            ("Net",),
        ),
        ("def net():\n m = torchvision.models.resnet18()\n m.eval()\n return m", ("net",)),
        ("def net() -> nn.Module: return make()", ("net",)),
        ("def net(width): return nn.Sequential()", ()),
        ("def load(): return open('x')\ndef _net(): return nn.Sequential()", ()),
        ("this is no Python", ()),
        ("\0", ()),
    ],
)
def test_what_builds_a_module_is_told_by_the_syntax_alone(
    here: Path, text: str, built: tuple[str, ...]
) -> None:
    (here / "net.py").write_text("raise SystemExit('this file must not be run')\n" * (built != ()) + text)
    assert torch_factories(here / "net.py") == built


def test_of_two_files_of_weights_neither_is_taken(here: Path) -> None:
    (here / "net.py").write_text(RESNET)
    for name in ("a.pt", "b.pth"):
        (here / name).touch()
    pictures(here / "photos")
    said = init()
    assert said[1] == "weights left open: a.pt, b.pth: which one belongs to net.py:build"
    assert said[-1].startswith("next: set `weights` and `preprocess` in edgeq.toml, then edgeq deploy")


def test_a_torch_project_in_one_line(here: Path) -> None:
    (here / "net.py").write_text(RESNET)
    (here / "w.pt").touch()
    pictures(here / "photos")
    said = init("net.py:build", "--weights", "w.pt", "--data", "photos", "--preprocess", "imagenet")
    assert said[-1] == "next: edgeq deploy --target local"
    project = read_project(Path("edgeq.toml"))
    assert [project.options[name] for name in ("weights", "data", "preprocess")] == [
        "w.pt",
        "photos",
        "imagenet",
    ]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("gone.onnx",), "there is no file gone.onnx"),
        (("gone.py:build",), "there is no file gone.py"),
        (("net.onnx", "--data", "gone.npz"), "there is no file or folder gone.npz"),
        (("net.onnx", "--data", "gone.py:samples"), "there is no file or folder gone.py"),
        (("net.py:build", "--weights", "gone.pt"), "there is no file or folder gone.pt"),
        (("net.py",), "net.py is Python: which function or class in it builds the model?"),
        ((), "there are 2 models here: net.onnx, net.py:build"),
    ],
)
def test_a_project_that_could_not_be_deployed_is_not_written(
    here: Path, words: tuple[str, ...], what: str
) -> None:
    (here / "net.onnx").touch()
    (here / "net.py").write_text(RESNET)
    assert refused(*words).what == what
    assert not (here / "edgeq.toml").exists()


def test_what_edgeq_exported_is_no_model_to_begin_with(here: Path) -> None:
    for name in ("net.onnx", "app.tflite", "app.contract.json"):
        (here / name).touch()
    assert init()[0] == "wrote edgeq.toml: model net.onnx"


def test_in_an_empty_folder_no_empty_project_is_written(here: Path) -> None:
    error = refused()
    assert error.what.startswith("there is no model in ")
    assert "edgeq init path/to/model.onnx" in str(error.remedy)
    assert list(here.iterdir()) == []


RESNET = """
import torch
from torch import nn
class Block(nn.Module):
    def __init__(self, width): super().__init__()
class Net(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.layers = nn.Sequential(*(Block(w) for w in blocks))
def build():
    return Net([16, 32])
"""


def test_what_comes_next_for_a_phone_is_an_export(here: Path) -> None:
    (here / "net.onnx").touch()
    (here / "calib.npz").touch()
    assert init("--target", "android-arm64")[-1].endswith(
        "edgeq export --target android-arm64 -o app/model.tflite"
    )
