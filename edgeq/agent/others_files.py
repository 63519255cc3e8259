"""Files that somebody else put into a release, an unpacked wheel or check samples, such as the log of an application beside its model.

Before such a folder is removed, mended or goes live they are moved into a folder next to it, `<name>.kept`. The release or wheel stays
whole meanwhile, so a power cut at any moment loses nothing.
"""

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Optional

from edgeq.agent import wheels
from edgeq.agent.durable import is_temporary, make_folder, move, remove_tree
from edgeq.agent.manifest_rules import JOBS, RELEASE, records
from edgeq.agent.verify import files_of, read_manifest
from edgeq.nouns.bundle import Manifest

# PEP 3147 and 488: <module>.cpython-311.opt-1.pyc
_COMPILED = re.compile(r"(.+)\.[a-z]+-?\d+[a-z]*(?:\.opt-\w+)?\.pyc")


def in_release(folder: Path, manifest: Optional[Manifest] = None) -> tuple[Path, ...]:
    """Files, links and folders below `folder` that neither the manifest nor the agent put there, and no Python compiled. A folder stands for all in it.
    Without `manifest`, the one in `folder` counts; where that is damaged, only the agent's own records are known.
    """
    manifest = manifest or read_manifest(folder)
    own = {RELEASE}
    if manifest is not None:
        own |= {a.path for a in files_of(manifest)} | records(manifest)
    unknown = unknown_in(folder, own)
    return tuple(p for p in unknown if not _is_cut_write(p, folder) and not _is_compiled(p, own, folder))


def in_wheel(folder: Path, own: Optional[Collection[str]] = None) -> tuple[Path, ...]:
    """What is neither `own`, by default the files of the wheel's RECORD, nor compiled by a Python."""
    own = set(wheels.recorded_files(folder) if own is None else own)
    return tuple(p for p in unknown_in(folder, own) if not _is_compiled(p, own, folder))


def set_aside(folder: Path, theirs: Collection[Path]) -> list[Path]:
    """Move `theirs`, all below `folder`, to the same places below a new folder `<folder>.kept`; where they are now."""
    kept: list[Path] = []
    beside = free_name(folder.with_name(f"{folder.name}.kept"))
    for path in theirs:
        goal = beside / path.relative_to(folder)
        make_folder(goal.parent)
        with contextlib.suppress(FileNotFoundError):  # such as a log that was rotated away right now
            move(path, goal)
            kept.append(goal)
    return kept


def remove_release(folder: Path) -> None:
    """Remove a release, but not the files of others that are in it."""
    set_aside(folder, in_release(folder))
    remove_tree(folder)


def free_name(path: Path) -> Path:
    """`path`, or where something lies there, `path` with the first free number behind it."""
    names = (path if n == 1 else path.with_name(f"{path.name}-{n}") for n in count(1))
    return next(p for p in names if not os.path.lexists(p))


def unknown_in(folder: Path, own: Collection[str]) -> Iterator[Path]:
    """Topmost entries of `folder` that are neither a file in `own` nor a folder that leads to one. No link is followed."""
    if folder.is_symlink():
        return
    leading = {parent.as_posix() for path in own for parent in Path(path).parents}
    for above, folders, names in os.walk(folder):
        here = Path(above)
        for name in (*folders, *names):
            path = here / name
            relative = path.relative_to(folder).as_posix()
            is_folder = path.is_dir() and not path.is_symlink()
            if relative not in (leading if is_folder else own):
                yield path
        folders[:] = [name for name in folders if (here / name).relative_to(folder).as_posix() in leading]


def _is_cut_write(path: Path, folder: Path) -> bool:
    """Whether the agent was cut off while it wrote a record of its own; see `owned.temporaries`."""
    return is_temporary(path) and path.relative_to(folder).parts[:-1] in (
        (),
        (JOBS,),
        ("candidates", path.parent.name),
    )


def _is_compiled(path: Path, own: Collection[str], folder: Path) -> bool:
    """Whether `path` is a compiled module of the release or wheel, or a __pycache__ that holds nothing but those."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return path.name == "__pycache__" and all(_is_compiled(p, own, folder) for p in path.iterdir())
    module = _COMPILED.fullmatch(path.name)
    source = path.parent.parent.relative_to(folder) / f"{module[1]}.py" if module else None
    return source is not None and path.parent.name == "__pycache__" and source.as_posix() in own
