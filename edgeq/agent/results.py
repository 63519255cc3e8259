"""results/: one folder per job, measurement.json written last. Bounded, because a timer adds to it for years."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.agent import owned
from edgeq.agent.durable import make_folder, remove_file, sync_tree, write_json
from edgeq.agent.layout import Root
from edgeq.agent.leftovers import remove_all
from edgeq.agent.stored import Unreadable, read_json
from edgeq.errors import RemoteFailed
from edgeq.nouns.json_text import LARGEST
from edgeq.nouns.safe_names import is_name

if TYPE_CHECKING:  # listing results, which `status` does, needs none of the largest nouns
    from edgeq.nouns.measurement import Measurement

RESULTS_KEPT = 200
OUTPUTS_KEPT = 10  # of the newest results: arrays that a host fetches at once or never


def fresh_folder(root: Root, job: str) -> Path:
    """A folder for the outputs of `job`; what an earlier try left in it is removed, and a link is not followed. Raises
    RemoteFailed where something that edgeq did not make has that name.
    """
    folder = root.results / job
    forget(root, job)
    if folder.exists() and not folder.is_dir():
        raise RemoteFailed(f"{folder} is not edgeq's", "move it away; results of jobs are kept there")
    make_folder(folder)
    return folder


def forget(root: Root, job: str) -> None:
    """Remove what the agent wrote of `job`, and a link in its place, but no file of anybody else's."""
    folder = root.results / job
    if folder.is_symlink():
        remove_file(folder)
    elif folder.is_dir():
        remove_all(root, owned.parts_of_result(folder))


def store(root: Root, measurement: "Measurement") -> None:
    """Make a result durable; it exists from the moment that measurement.json does."""
    path = root.measurement(measurement.job.id)
    if path.parent.is_symlink():
        remove_file(path.parent)
    make_folder(path.parent)
    sync_tree(path.parent)
    newest = max((root.measurement(id).stat().st_mtime_ns for id in stored_results(root)), default=0)
    write_json(path, measurement.to_dict())
    # Results are listed in the order they were stored; a clock that was set back must not change that.
    at = max(path.stat().st_mtime_ns, newest + 1)
    os.utime(path, ns=(at, at))
    _forget_old(root)


def stored_results(root: Root) -> tuple[str, ...]:
    """Ids in the order they were stored, oldest first. What is behind a link, or was not written by the agent, is no result of
    this device.
    """
    paths = [folder / "measurement.json" for folder in owned.results(root) if owned.is_result(folder)]
    return tuple(p.parent.name for p in sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.parent.name)))


def is_stored(root: Root, id: str) -> bool:
    folder = root.measurement(id).parent
    return not folder.is_symlink() and owned.is_result(folder)


def read_result(root: Root, id: str) -> "Measurement":
    """Raises RemoteFailed when there is none, or one that cannot be read."""
    from edgeq.nouns.measurement import Measurement

    if not is_name(id) or not is_stored(root, id):
        raise RemoteFailed(f"there is no result {id!r} on this device", "`edgeq status` lists the last ones")
    try:
        return Measurement.from_dict(read_json(root.measurement(id), LARGEST))
    except (Unreadable, ValueError) as error:
        raise RemoteFailed(f"result {id} cannot be read: {error}", "measure again") from None


def _forget_old(root: Root) -> None:
    ids = stored_results(root)[::-1]
    for id in ids[RESULTS_KEPT:]:
        forget(root, id)
    for id in ids[OUTPUTS_KEPT:RESULTS_KEPT]:
        remove_all(root, owned.outputs_of_result(root.results / id))
