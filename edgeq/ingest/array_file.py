"""Checks from its headers alone whether an .npz or .npy holds what it declares: names, types, shapes and sizes.

Runs in the limited child, without numpy. An archive of a few bytes may declare arrays of terabytes.
"""

import zipfile
from pathlib import Path

from edgeq.errors import DataRefused
from edgeq.limited.reader import Reader
from edgeq.npy_header import declared

NPZ_REMEDY = "write it with numpy.savez_compressed(path, x=..., labels=...)"
NPZ = Reader("edgeq.ingest.array_file:check_npz", DataRefused, "the data", NPZ_REMEDY)
NPY = Reader(
    "edgeq.ingest.array_file:check_npy", DataRefused, "the data", "write it with numpy.save(path, x)"
)

_MOST_ARRAYS = 100_000
_RATIO = 1100  # DEFLATE packs at most 1,032 to 1


def check_npz(path: str, most_bytes: int) -> int:
    """The bytes that its arrays take together. Raises DataRefused with what is wrong in which array."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _checked(Path(path), archive, most_bytes)
    except DataRefused:
        raise
    except FileNotFoundError:
        raise DataRefused(f"there is no file {path}") from None
    except zipfile.BadZipFile:
        raise _npz_refused(path, "it is not a zip archive, or it is truncated") from None
    except Exception as error:  # zlib.error, NotImplementedError, struct.error ... by what is wrong inside
        raise _npz_refused(
            path, str(getattr(error, "strerror", None) or error) or type(error).__name__
        ) from None


def check_npy(path: str, most_bytes: int) -> int:
    """The bytes of its array. Raises DataRefused."""
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as file:
            if file.read(4) == b"PK\x03\x04":
                raise DataRefused(f"{path} is not one array: it is an .npz by another name")
            file.seek(0)
            problem, found = declared(file, size)
    except OSError as error:
        raise DataRefused(f"{path} cannot be read as .npy: {error.strerror}") from None
    if problem:
        raise DataRefused(f"{path} cannot be read as .npy: {problem}")
    _refuse_too_large(path, found, most_bytes)
    return found


def _checked(path: Path, archive: zipfile.ZipFile, most_bytes: int) -> int:
    entries = archive.infolist()
    if len(entries) > _MOST_ARRAYS:
        raise _npz_refused(path, f"it holds {len(entries):,} arrays")
    if len({entry.filename for entry in entries}) < len(entries):
        raise _npz_refused(path, "it holds two arrays of one name")
    if sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise _npz_refused(path, "its arrays overlap")
    total = 0
    for entry in entries:
        problem = _entry_problem(entry)
        if not problem:
            with archive.open(entry) as file:
                problem, found = declared(file, entry.file_size)
            total += found
        if problem:
            raise _npz_refused(path, f"{entry.filename[:80]}: {problem}")
    _refuse_too_large(path, total, most_bytes)
    return total


def _entry_problem(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed in a way that numpy does not write"
    if not entry.filename.endswith(".npy"):
        return "it is not an array"
    if entry.file_size > _RATIO * (entry.compress_size + 1):
        return f"it declares {entry.file_size:,} bytes out of {entry.compress_size:,}"
    return ""


def _refuse_too_large(path: Path | str, values: int, most_bytes: int) -> None:
    if values > most_bytes:
        raise DataRefused(
            f"{path} holds {values / 1e9:,.1f} GB of arrays, and this machine has memory for {most_bytes / 1e9:,.1f} GB of them",
            "give fewer samples: a few hundred to calibrate, a few thousand to evaluate; or a folder with one file per sample",
        )


def _npz_refused(path: Path | str, reason: str) -> DataRefused:
    return DataRefused(f"{path} cannot be read as .npz: {reason}", NPZ_REMEDY)
