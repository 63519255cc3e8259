"""Where an export goes: a folder, or a model file with what belongs to it beside it. Found out before anything is made."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq.errors import BundleRefused
from edgeq.nouns.target import FORMATS
from edgeq.request.paths import AnyPath

SUFFIXES = {f".{format}": format for format in dict.fromkeys(FORMATS.values())}
_KINDS = "a model file ends in .tflite or .onnx, a folder in /, a bundle (`edgeq convert`) in .edgeq"


@dataclass(frozen=True)
class ExportPlace:
    """`folder` takes the files. A `model` file was named: its stem begins the names of the others; None for a folder, whose files
    have names of their own. `format` is that of the model file, None where any will do.
    """

    folder: Path
    model: str | None
    format: str | None

    @property
    def path(self) -> Path:
        """As it was named."""
        return self.folder / self.model if self.model else self.folder

    def called(self, plain: str) -> str:
        """The name here of the file that a folder would have under `plain`: with `-o x.onnx` contract.json is x.contract.json,
        Example.kt x.example.kt. A Python module keeps its name, by which it is imported.
        """
        if self.model is None:
            return plain
        if plain == f"model.{self.format}":
            return self.model
        is_named = plain.lower().startswith(("contract.", "example."))
        return f"{Path(self.model).stem}.{plain[0].lower()}{plain[1:]}" if is_named else plain


def export_place(output: AnyPath) -> ExportPlace:
    """Raises BundleRefused for what is neither a folder nor a model file."""
    text = os.fspath(output)
    path = Path(text)
    if not text:
        raise BundleRefused("-o names nothing", _KINDS)
    if text == "-":
        raise BundleRefused("-o -: an export is several files, which stdout cannot take", _KINDS)
    if text.endswith("/") or path.is_dir():
        return ExportPlace(path, None, None)
    suffix = path.suffix or (path.name if path.name.startswith(".") else "")
    if not suffix:
        return ExportPlace(path, None, None)
    if suffix.lower() == ".edgeq":
        raise BundleRefused(
            f"{path} would be a bundle",
            f"`edgeq convert MODEL -o {path}` writes one; a model file ends in .tflite or .onnx, a folder in /",
        )
    if suffix.lower() not in SUFFIXES or suffix == path.name:
        raise BundleRefused(f"cannot export to {path}: {suffix} is no model file", _KINDS)
    return ExportPlace(path.parent, path.name, SUFFIXES[suffix.lower()])


def require_place(place: ExportPlace, names: Iterable[str], *, force: bool) -> None:
    """Raises BundleRefused where the files `names` cannot be written, or would take the place of others and not by `force`."""
    _require_folder(place.folder)
    _require_writable(place.folder)
    if force:
        return
    if place.model is None:
        there = sorted(p.name for p in place.folder.iterdir()) if place.folder.exists() else []
        if there:
            raise BundleRefused(
                f"{place.folder} is not empty: {_listed(there)}",
                "name another folder with -o; `edgeq export --force` replaces files of the same names there, no others",
            )
        return
    there = sorted(name for name in names if os.path.lexists(place.folder / name))
    if there:
        raise BundleRefused(
            f"{_listed(there)} {'is' if len(there) == 1 else 'are'} in {place.folder} already",
            "name another file with -o, or replace what is there with `edgeq export --force`",
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _require_folder(folder: Path) -> None:
    for part in (folder, *folder.parents):
        if os.path.lexists(part) and not part.is_dir():
            other = "a link to nothing" if part.is_symlink() else "a device or a pipe"
            what = "a file" if part.is_file() else other
            raise BundleRefused(f"cannot write to {folder}: {part} is {what}, no folder", _KINDS)


def _require_writable(folder: Path) -> None:
    """By what is there of the path."""
    there = next(part for part in (folder, *folder.parents, Path("/")) if part.is_dir())
    trial = there / f".edgeq.{os.getpid()}.tmp"
    try:
        trial.open("wb").close()
        trial.unlink()
    except OSError as error:
        raise BundleRefused(
            f"cannot write to {there}: {error.strerror}", "name another place with -o"
        ) from None


def in_the_way(place: ExportPlace, files: Mapping[str, bytes | None]) -> list[str]:
    """Of these names, those under which something else may be there."""
    return [name for name, content in files.items() if not _holds(place.folder / name, content)]


def _holds(path: Path, content: bytes | None) -> bool:
    if content is None or not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content
