"""docs/tutorial.md: its programs and commands run as they stand there, on a few hundred made images.

What is replaced: numbers of epochs, seconds and samples; a device elsewhere by this machine; the gate (an edgeq.toml), since networks
that saw 300 images decide nothing; two of the three blocks in each stage of the ResNet. The runtime is onnxruntime alone.
"""

import pickle
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

pytest.importorskip("torch")

import edgeq
from edgeq.cli.main import cli, run
from tests.emulate.conftest import require_emulator

TEXT = (Path(edgeq.__file__).parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python (\w+\.py)\n(.*?)^```", TEXT, re.M | re.S))
SNIPPETS = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
PROJECT = """calibrate = 40
effort = "quick"
[gates]
max_drop = 100
min_agreement = 0
"""
SMALL = (
    (r"^(python train\.py \w+) \d+", r"\1 4"),
    (r"(--(?:float-)?epochs|--finetune) (?!0 )[\d.]+", r"\1 1"),
    (r"--seconds \d+", "--seconds 0.5"),
    (r"--samples \d+", "--samples 1"),
    (r"--max-drop [\d.]+", "--max-drop 100"),
    (r"^(edgeq (?:convert|deploy)(?!.*--runtime) .*)", r"\1 --runtime onnxruntime"),
    (r"--target x86-64-vnni --host box( --accept-new-host-key)?", "--target local"),
)
# Exit codes. 3: live, on a busy machine; 20: this CPU and the emulated one differ.
ENDS = {"deploy": (0, 3), "verify": (0, 20)}


def commands(text: str = TEXT) -> list[str]:
    """The lines behind `$` of its console blocks."""
    sessions = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)
    return [line[2:] for session in sessions for line in session.splitlines() if line.startswith("$ ")]


def small(command: str) -> str:
    for pattern, instead in SMALL:
        command = re.sub(pattern, instead, command)
    return command


def part(first: int, last: int) -> list[str]:
    """The commands of sections `first` to `last`. The last section goes on with the classic network, which part(1, 5) has trained."""
    sections = re.split(r"^## \d+\. ", TEXT, flags=re.M)
    return commands("\n".join(sections[first : last + 1]))


def archive(folder: Path) -> None:
    """Images in the layout of CIFAR-10's archive for Python: ten patterns and noise."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    patterns = noise.integers(0, 256, (10, 3072))
    for name, count in {**{f"data_batch_{n}": 60 for n in range(1, 6)}, "test_batch": 80}.items():
        labels = noise.permutation(np.arange(count) % 10)
        data = np.clip(patterns[labels] + noise.normal(0, 40, (count, 3072)), 0, 255).astype(np.uint8)
        stored = {b"data": data, b"labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(stored))


@pytest.fixture
def reader(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A reader's folder: the programs of the page, the archive, and a project that asks for little."""
    monkeypatch.chdir(tmp_path)
    for name, program in PROGRAMS.items():
        (tmp_path / name).write_text(re.sub(r"(, Block\((\d+), \2, 1\))+", "", program))
    (tmp_path / "edgeq.toml").write_text(PROJECT)
    archive(tmp_path / "cifar-10-batches-py")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in PROGRAMS:
        sys.modules.pop(name.removesuffix(".py"), None)


def type_in(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell, but in this process: importing torch takes longer than most of them."""
    program, *words = shlex.split(small(command))
    if program == "edgeq":
        if words[0] == "verify":
            require_emulator("qemu-x86_64")
        assert run(words) in ENDS.get(words[0], (0,)), command
        return
    assert program == "python", command
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(words[0], run_name="__main__")


def test_every_command_has_options_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as they stand, without the replacements; nothing is opened. The programs are those of the page."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ptq.edgeq").touch()
    seen = commands()
    assert len(seen) > 15
    for command in seen:
        program, *words = shlex.split(command)
        if program == "python":
            assert words[0] in PROGRAMS
            continue
        name, given, rest = cli.resolve_command(click.Context(cli), words)
        assert name is not None and given is not None, command
        given.make_context(name, list(rest), resilient_parsing=False)


def test_all_sections_are_run() -> None:
    assert len(re.findall(r"^## \d+\. ", TEXT, re.M)) == 10
    assert part(1, 5) + part(6, 9) + part(10, 10) == commands()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_classic_network(
    reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in part(1, 5) + part(10, 10):
        type_in(command, monkeypatch)
    out = capsys.readouterr().out
    assert re.search(r"onnxruntime-trained_static +[\d.]+ %", out)  # test.py has seen the trained network
    assert "report    1 measurement" in out
    assert out.count("live      net = ") == 2
    assert len(SNIPPETS) == 1
    for snippet in SNIPPETS:
        exec(compile(snippet.replace("max_drop=1", "max_drop=100"), "docs/tutorial.md", "exec"), {})  # noqa: S102


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_resnet(
    reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in("python data.py", monkeypatch)
    for command in part(6, 9):
        type_in(command, monkeypatch)
    out = capsys.readouterr().out
    assert "pruned: " in out and "4-bit weights" in out
    assert out.count("live      resnet = ") == 2
