"""What a factory built is found again for the same factory, weights, samples and checks, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Puts what stands for a traced program, or looks for it, with the options that are given as JSON.
SCRIPT = """
import json, sys, time
from edgeq import catalog
from edgeq.code_inputs.watch import Watch
from edgeq.conversion import recognition
from edgeq.conversion.conversion_job import conversion_job
from edgeq.errors import ModelRefused
from edgeq.request.requests import ConvertRequest
from edgeq.user_code import load_attribute
options = json.load(sys.stdin)
put = options.pop("put")
job = conversion_job(ConvertRequest(**options), catalog.target("rpi4"), {}, {})
if put:
    watch = Watch(began=time.time_ns() + 10**9)
    with watch.watching():
        load_attribute(options["model"], ModelRefused)
    print(recognition.put(job, watch, recognition.Built(put, (), ("<f4 (1, 3)",)), ()))
else:
    found = recognition.find(job)
    print(found.built.sha256 if found else "")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recognise.py").write_text(SCRIPT)
    (tmp_path / "net.py").write_text("def build(): return 1\ndef other(): return 2\n")
    for name in ("w.pt", "x.npy", "y.npy"):
        (tmp_path / name).write_text(name)
    return tmp_path


def recognise(folder: Path, put: str = "", **options: object) -> str:
    given = {"model": "net.py:build", "weights": "w.pt", "data": "x.npy", "put": put, **options}
    done = subprocess.run(
        [sys.executable, "recognise.py"],
        cwd=folder,
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_it_is_found_whatever_the_bundle_is_called_and_judged_by(folder: Path) -> None:
    assert recognise(folder) == ""
    assert recognise(folder, put="first") == ""
    assert recognise(folder) == "first"
    assert recognise(folder, name="else", min_sqnr=20, recipe="float") == "first"


def test_two_factories_of_a_file_are_two(folder: Path) -> None:
    recognise(folder, put="first")
    recognise(folder, model="net.py:other", put="second")
    assert recognise(folder) == "first"
    assert recognise(folder, model="net.py:other") == "second"


@pytest.mark.parametrize("changed", ["w.pt", "x.npy", "net.py"])
def test_other_contents_are_not_recognised(folder: Path, changed: str) -> None:
    recognise(folder, put="first")
    (folder / changed).write_text("def build(): return 3\n")
    assert recognise(folder) == ""
    recognise(folder, put="second")
    assert recognise(folder) == "second"


@pytest.mark.parametrize(
    "options",
    [
        {"data": "y.npy"},
        {"data": None},
        {"weights": None},
        {"shape": {"x": [1, 3]}},
        {"preprocess": "imagenet"},
    ],
    ids=str,
)
def test_other_options_that_matter_are_not_recognised(folder: Path, options: dict[str, object]) -> None:
    recognise(folder, put="first")
    assert recognise(folder, **options) == ""


def test_samples_of_a_function_are_never_the_same(folder: Path) -> None:
    assert "cannot be recognised" in recognise(folder, put="first", data="net.py:other")
    assert recognise(folder, data="net.py:other") == ""


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short"])
def test_a_damaged_entry_is_none(folder: Path, own_home: Path, damage: bytes) -> None:
    recognise(folder, put="first")
    (entry,) = (own_home / "cache" / "edgeq" / "factories").glob("*.npz")
    entry.write_bytes(damage)
    assert recognise(folder) == ""
    recognise(folder, put="second")
    assert recognise(folder) == "second"
