"""Where a bundle may be written is known before anything is converted."""

import os
from pathlib import Path

import pytest

from edgeq.bundle import require_destination, write_bundle
from edgeq.errors import BundleRefused
from edgeq.workflow.convert import convert

from .conftest import parts


def test_a_file_that_is_there_or_not_is_a_place(tmp_path: Path) -> None:
    require_destination(tmp_path / "new.edgeq")
    (tmp_path / "old.edgeq").write_bytes(b"before")
    require_destination(tmp_path / "old.edgeq")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("old.edgeq", b"before")]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/dev/null", "cannot write /dev/null: it is a device or a pipe, which a bundle would replace"),
        ("folder", "it is a folder"),
        ("pipe", "it is a device or a pipe"),
        ("nowhere/x.edgeq", "there is no folder .*nowhere"),
        ("/proc/x.edgeq", "cannot write /proc/x.edgeq"),
    ],
)
def test_the_rest_is_refused_before_the_model_is_even_looked_for(
    place: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleRefused, match=words):
        convert("no-such-model.onnx", output=tmp_path / place)


def test_a_device_is_never_renamed_over(tmp_path: Path) -> None:
    manifest, artifacts = parts(tmp_path)
    os.mkfifo(tmp_path / "m.edgeq")
    with pytest.raises(BundleRefused, match="would replace"):
        write_bundle(tmp_path / "m.edgeq", manifest, artifacts, {})
    assert (tmp_path / "m.edgeq").is_fifo()
