"""Several files are there together or not at all."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeq.app_files.write_files import write_files
from edgeq.errors import BundleRefused

FILES = {"model.onnx": b"new" * 100, "contract.json": b"{}"}


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk on which a file of more bytes fails half way; the kernel does it, as on a full one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class CtrlC(dict[str, bytes]):
    """Files of which the second is interrupted."""

    def items(self):  # type: ignore[no-untyped-def]
        yield "model.onnx", b"new"
        raise KeyboardInterrupt


def test_a_new_folder_and_those_above_it_appear(tmp_path: Path) -> None:
    write_files(tmp_path / "a/b", FILES)
    assert tree(tmp_path / "a/b") == FILES


def test_in_a_folder_that_is_there_only_files_of_the_same_names_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"old")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    write_files(tmp_path, FILES)
    assert tree(tmp_path) == {**FILES, "notes.txt": b"mine"}


@pytest.mark.parametrize("place", ["new/folder", "there"])
def test_nothing_is_left_of_a_write_that_fails(place: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/model.onnx").write_bytes(b"old")
    before = tree(tmp_path)
    with files_of_at_most(200), pytest.raises(BundleRefused, match="cannot write .*: File too large"):
        write_files(tmp_path / place, FILES)
    assert tree(tmp_path) == before
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / place, CtrlC(FILES))
    assert tree(tmp_path) == before
