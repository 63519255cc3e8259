"""What in the root edgeq itself has made: by exact names at their exact places, no link followed.

A root may be somebody's home or data disk, with folders called results/ or jobs/ of their own. Whatever is removed from a
root is found here first; what is not recognised stays.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from edgeq.agent.available import FILES, sample_files
from edgeq.agent.durable import TEMPORARY, is_temporary
from edgeq.agent.job_rules import read_job
from edgeq.agent.layout import Root
from edgeq.agent.others_files import in_release, in_wheel, set_aside
from edgeq.agent.stored import Unreadable
from edgeq.nouns.record import digest_of
from edgeq.nouns.safe_names import is_name, is_sha256

_ARCHIVE = re.compile(r"[0-9a-f]{16}\.pyz")
_WHEEL = re.compile(r"[A-Za-z0-9_.-]+-[0-9][A-Za-z0-9_.+!]*-[0-9a-f]{8}")
# How a host (deliver/jobs.py) and the timer (commands/periodic.py) call their jobs.
_JOB = re.compile(r"(periodic-.+-)?\d{8}T\d{6}-([0-9a-f]{8}|[0-9a-f]{4})")
# A measurement is written as canonical JSON, whose keys are sorted; its first is `after`, the conditions afterwards.
_MEASUREMENT = b'{"after":{"'
_T = TEMPORARY.pattern
_IN_RESULT = re.compile(rf"measurement\.json|({_T})(/.*)?|[^/]+/|[^/]+/(\d+\.npy|({_T})(/.*)?)")
_IN_OUTPUTS = re.compile(rf"\d+\.npy|({_T})(/.*)?")
_IN_SAMPLES = re.compile(rf"{re.escape(FILES)}|\d+\.npy")


def temporaries(root: Root) -> list[Path]:
    """Files, links and folders that a cut left half made."""
    folders = [root.path, root.agents, root.wheels, root.incoming, root.samples, root.apps, root.jobs]
    folders.append(root.running)
    for app in _folders(root.apps):
        releases = app / "releases"
        folders += [app, releases]
        for release in _releases(app):
            folders += [release, release / "jobs", *_folders(release / "candidates")]
    for result in results(root):
        folders += [result, *_folders(result)]
    return [entry for folder in (*folders, root.results) for entry in _entries(folder) if is_temporary(entry)]


def uploads(root: Root) -> list[Path]:
    """Files that no release owns yet, and parts of such files and of agents."""
    there = [p for p in _files(root.incoming) if is_sha256(p.name.removesuffix(".part"))]
    return there + [p for p in _files(root.agents) if _ARCHIVE.fullmatch(p.name[:-5]) and p.suffix == ".part"]


def agents(root: Root) -> list[Path]:
    return [p for p in _files(root.agents) if _ARCHIVE.fullmatch(p.name)]


def wheels(root: Root) -> list[Path]:
    """Folders of unpacked wheels: by name, and by the record that a wheel carries."""
    return [
        p for p in _folders(root.wheels) if _WHEEL.fullmatch(p.name) and any(p.glob("*.dist-info/RECORD"))
    ]


def samples(root: Root) -> list[Path]:
    """Folders of check samples: named by what their list says."""
    return [p for p in _folders(root.samples) if is_sha256(p.name) and _is_named_by_its_list(p)]


def is_app(folder: Path) -> bool:
    """Whether edgeq installed an app there: it has a release, or the link to one that is live."""
    if not is_name(folder.name) or folder.is_symlink():
        return False
    if any(is_sha256(p.name) for p in _folders(folder / "releases")):
        return True
    current = folder / "current"
    return current.is_symlink() and str(current.readlink()).startswith("releases/")


def results(root: Root) -> list[Path]:
    """Folders of results, also of those that a cut ended before measurement.json was written."""
    return [p for p in _folders(root.results) if is_name(p.name) and (is_result(p) or _was_begun(p))]


def is_result(folder: Path) -> bool:
    """Whether `folder` holds a measurement that the agent wrote."""
    try:
        handle = os.open(
            folder / "measurement.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.fstat(handle).st_mode) and os.read(handle, 11) == _MEASUREMENT
    finally:
        os.close(handle)


def parts_of_result(folder: Path) -> list[Path]:
    return _parts(folder, _IN_RESULT.fullmatch)


def outputs_of_result(folder: Path) -> list[Path]:
    """Of the outputs of each entrant: its folder, or the arrays in it."""
    return [
        part
        for entrant in _folders(folder)
        for part in _parts(entrant, _IN_OUTPUTS.fullmatch)
        if not is_temporary(entrant)
    ]


def parts_of_app(folder: Path) -> list[Path]:
    """The folder of an app as one, or what edgeq made in it; a release is one part unless somebody else has files in it."""
    inside = [part for release in _releases(folder) for part in _own_parts(release, in_release(release))]
    inside += [p for p in _entries(folder / "releases") if is_temporary(p)]
    own = [p for p in _files(folder) if p.name == "history.json"]
    own += [p for p in _entries(folder) if is_temporary(p) or (p.name == "current" and p.is_symlink())]
    return _as_one(folder, [*own, *_as_one(folder / "releases", inside)])


def parts_of_wheel(folder: Path) -> list[Path]:
    return _own_parts(folder, in_wheel(folder))


def set_others_aside(apps: Iterable[Path], wheels: Iterable[Path]) -> list[Path]:
    """Move the files of others out of the releases of `apps` and out of `wheels`, which are about to go; where they are now."""
    releases = [release for app in apps for release in _releases(app)]
    found = [(release, in_release(release)) for release in releases] + [(w, in_wheel(w)) for w in wheels]
    return [path for folder, theirs in found for path in set_aside(folder, theirs)]


def others_files(apps: Iterable[Path], wheels: Iterable[Path]) -> list[Path]:
    """What `set_others_aside` would move."""
    found = [in_release(release) for app in apps for release in _releases(app)]
    return [path for theirs in (*found, *map(in_wheel, wheels)) for path in theirs]


def apps(root: Root) -> list[Path]:
    return [folder for folder in _folders(root.apps) if is_app(folder)]


def parts_of_samples(folder: Path) -> list[Path]:
    return _parts(folder, _IN_SAMPLES.fullmatch)


def everything(root: Root) -> list[Path]:
    """What `remove` takes away, the agents last: each of the folders as one where nothing in it is another's."""
    found = {
        root.apps: [part for app in apps(root) for part in parts_of_app(app)],
        root.wheels: [part for wheel in wheels(root) for part in parts_of_wheel(wheel)],
        root.samples: [p for folder in samples(root) for p in parts_of_samples(folder)],
        root.incoming: [p for p in uploads(root) if p.parent == root.incoming],
        root.jobs: [*_jobs(root.jobs), *_running(root)],
        root.results: [p for folder in results(root) for p in parts_of_result(folder)],
        root.agents: [*agents(root), *(p for p in uploads(root) if p.parent == root.agents), *_current(root)],
    }
    return [path for folder, paths in found.items() for path in _as_one(folder, paths)]


def _as_one(folder: Path, paths: list[Path]) -> list[Path]:
    """[folder] where these, and what a cut left, are all that is in it."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    ours = {p.name for p in paths if p.parent == folder}
    others = [p for p in _entries(folder) if p.name not in ours and not is_temporary(p)]
    return paths if others else [folder]


def _releases(app: Path) -> list[Path]:
    return [p for p in _folders(app / "releases") if is_sha256(p.name)]


def _own_parts(folder: Path, theirs: tuple[Path, ...]) -> list[Path]:
    """[folder] where nothing in it is another's, else the files and links in it that are edgeq's."""
    if not theirs:
        return [folder]
    inside = [Path(above, name) for above, folders, names in os.walk(folder) for name in (*folders, *names)]
    leaves = [p for p in inside if p.is_symlink() or not p.is_dir()]
    return [p for p in leaves if not {p, *p.parents} & set(theirs)]


def _parts(folder: Path, ours: Callable[[str], object]) -> list[Path]:
    """`folder` itself where all in it is `ours` (a folder's path ends in a slash), else the files and links that are."""
    found, all_ours = [], True
    for above, folders, names in os.walk(folder):
        here = Path(above)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *links):
            path = here / name
            if ours(path.relative_to(folder).as_posix()):
                found.append(path)
            else:
                all_ours = False
        for name in set(folders) - set(links):
            all_ours = all_ours and bool(ours((here / name).relative_to(folder).as_posix() + "/"))
    return [folder] if all_ours else found


def _is_named_by_its_list(folder: Path) -> bool:
    files = sample_files(folder)
    return bool(files) and digest_of(list(files)) == folder.name


def _was_begun(folder: Path) -> bool:
    return _JOB.fullmatch(folder.name) is not None and not (folder / "measurement.json").exists()


def _jobs(folder: Path) -> Iterator[Path]:
    for path in _files(folder):
        if path.suffix == ".json" and _is_job(path):
            yield path


def _running(root: Root) -> list[Path]:
    own = [*_jobs(root.running), *(p for p in _files(root.running) if p.name == ".draining")]
    return _as_one(root.running, own)


def _is_job(path: Path) -> bool:
    try:
        read_job(path)
    except (Unreadable, FileNotFoundError):
        return False
    return True


def _current(root: Root) -> list[Path]:
    link = root.agents / "current"
    return [link] if link.is_symlink() else []


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if not folder.is_symlink() else []
    except (FileNotFoundError, NotADirectoryError):
        return []


def _folders(folder: Path) -> list[Path]:
    return [p for p in _entries(folder) if p.is_dir() and not p.is_symlink()]


def _files(folder: Path) -> list[Path]:
    return [p for p in _entries(folder) if p.is_file() and not p.is_symlink()]
