"""Where the Python for onnx2tf is looked for, and what is said when there is none."""

import sys
from pathlib import Path

import pytest

from edgeq.errors import ExtraMissing
from edgeq.ingest.onnx_to_tflite import find_python as module
from edgeq.ingest.onnx_to_tflite.debian_root import launcher
from edgeq.ingest.onnx_to_tflite.environment import built
from edgeq.ingest.onnx_to_tflite.find_python import VARIABLE, find_python


def test_none_on_this_machine_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(module, "_candidates", lambda: iter([Path("/nowhere/python3.12")]))
    with pytest.raises(ExtraMissing, match=r"needs Python 3\.12 or 3\.13, and there is none") as refused:
        built(tmp_path, print)
    assert "uv python install" in (refused.value.remedy or "")
    assert f"{VARIABLE}=" in (refused.value.remedy or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["/nowhere/python3.12", "/bin/sh"])
def test_a_named_python_that_is_none_is_refused(named, monkeypatch):
    monkeypatch.setenv(VARIABLE, named)
    with pytest.raises(ExtraMissing, match=f"{named} is no Python"):
        find_python()


def test_a_folder_that_is_no_debian_is_refused_with_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ExtraMissing, match="no root file system of Debian") as refused:
        find_python()
    assert "trixie" in (refused.value.remedy or "")


def test_the_one_that_uv_keeps_is_found(python312, tmp_path, monkeypatch):
    real = launcher(python312) if python312.is_dir() else python312
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    monkeypatch.setattr(module, "_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    place = tmp_path / "cpython-3.12.9-linux-x86_64-gnu/bin/python3.12"
    place.parent.mkdir(parents=True)
    place.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    place.chmod(0o755)
    assert find_python().path == real


@pytest.mark.lab
def test_the_python_of_a_debian_13_root_file_system_serves(debian13, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(debian13))
    found = find_python()
    assert found.version == "3.13"
    assert found.path.is_relative_to(debian13)
