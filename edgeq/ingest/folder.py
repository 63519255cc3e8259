"""Samples from a folder: images, .npy files, or one .npz per sample; labels from class folders or a labels file."""

import csv
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest import array_file
from edgeq.ingest.image import read_pixels
from edgeq.ingest.image_file import SUFFIXES
from edgeq.ingest.npz import load_arrays, with_sound_text
from edgeq.ingest.stored import ClassFolders, Stored
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file, free_memory

_LABEL_FILES = ("labels.csv", "labels.npy")
_ARRAYS = (".npy", ".npz")


def open_folder(folder: Path) -> Stored:
    """Files are taken in the order of their names. Raises DataRefused naming the file or what the folder lacks."""
    files = sample_files(folder)
    suffixes = {f.suffix.lower() for f in files}
    images = suffixes <= set(SUFFIXES)
    if not images and len(suffixes) > 1:
        raise DataRefused(
            f"{folder} mixes {', '.join(sorted(suffixes))} files",
            "give a folder of images, or of .npy, or of .npz files",
        )
    truth, folders = _truth(folder, files)
    keys = tuple(_key(f, None if truth is None else truth[i]) for i, f in enumerate(files))
    names = tuple(map(str, files))
    return Stored(str(folder), keys, lambda i: _read(files[i]), truth, images, names, folders)


def load_npy(path: Path) -> np.ndarray:
    ask(array_file.NPY, path, for_file(0), most_bytes=free_memory() // 2)
    try:
        array = with_sound_text(np.load(path, allow_pickle=False))
    except Exception as error:  # numpy's own: the bytes are not what the header says
        raise DataRefused(f"{path} cannot be read as .npy: {error}") from None
    return array


def sample_files(folder: Path) -> list[Path]:
    """In the order of their names. Raises DataRefused where there are none."""
    taken = (*SUFFIXES, *_ARRAYS)
    files = [
        f
        for f in sorted(folder.rglob("*"), key=lambda f: f.relative_to(folder).as_posix())
        if f.is_file()
        and f.suffix.lower() in taken
        and f.name not in _LABEL_FILES
        and not f.name.startswith(".")
    ]
    if not files:
        raise DataRefused(f"{folder} holds no samples", f"edgeq reads {', '.join(taken)} files in it")
    return files


def _read(path: Path) -> Mapping[str, np.ndarray]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return load_arrays(path)
    return {"": load_npy(path) if suffix == ".npy" else read_pixels(path)}


def _key(path: Path, label: object) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if label is not None:
        digest.update(np.asarray(label).tobytes())
    return digest.hexdigest()


def _truth(folder: Path, files: list[Path]) -> tuple[np.ndarray | None, ClassFolders | None]:
    if (table := folder / "labels.csv").is_file():
        return _from_csv(table, folder, files), None
    if (array := folder / "labels.npy").is_file():
        labels = load_npy(array)
        if len(np.atleast_1d(labels)) != len(files):
            raise DataRefused(
                f"{array} holds {len(np.atleast_1d(labels)):,} labels for {len(files):,} files",
                "it needs one label per file, in the order of the file names",
            )
        return np.atleast_1d(labels), None
    classes = _class_of_each(folder, files)
    if not classes:
        return None, None
    folders = _numbered(set(classes))
    number = dict(zip(folders.names, folders.numbers, strict=True))
    return np.array([number[c] for c in classes], dtype=np.int64), folders


def _class_of_each(folder: Path, files: list[Path]) -> list[str]:
    """The name of each file's first folder; empty for files in one flat folder."""
    classes = [f.relative_to(folder).parts[0] for f in files if f.parent != folder]
    if classes and len(classes) != len(files):
        flat = next(f for f in files if f.parent == folder)
        raise DataRefused(
            f"{folder} has class folders, but {flat.name} is next to them", "move it into its class's folder"
        )
    return classes


def _numbered(names: set[str]) -> ClassFolders:
    """Names that are numbers are the classes' own; others are numbered as people sort them, c2 before c10."""
    by_name = not all(name.isascii() and name.isdecimal() for name in names)
    order = tuple(sorted(names, key=_as_people_sort))
    return ClassFolders(order, tuple(range(len(order))) if by_name else tuple(map(int, order)), by_name)


def _as_people_sort(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", name)
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], name


def _int64(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _from_csv(table: Path, folder: Path, files: list[Path]) -> np.ndarray:
    """`file,label` per line, with a heading or without; labels are class numbers."""
    try:
        rows = [row for row in csv.reader(table.read_text(encoding="utf-8-sig").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataRefused(f"{table} cannot be read: {error}") from None
    if rows and [c.strip().lower() for c in rows[0]] == ["file", "label"]:
        rows = rows[1:]
    labels: dict[str, int] = {}
    problems = []
    for number, row in enumerate(rows, 1):
        try:
            name, label = (c.strip() for c in row)
            labels[name] = _int64(label)
        except ValueError:
            problems.append(f"row {number}: {','.join(row)[:80]!r} is not file,class number")
    names = [f.relative_to(folder).as_posix() for f in files]
    problems += [f"{name} has no label" for name in names if name not in labels]
    problems += [f"{name} has a label but does not exist" for name in sorted(set(labels) - set(names))]
    if problems:
        raise DataRefused(
            f"{table} does not fit the folder: {len(problems)} problems",
            "one line file,label per file",
            details=problems[:20],
        )
    return np.array([labels[n] for n in names], dtype=np.int64)
