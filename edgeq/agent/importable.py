"""Writes next to a model that goes live what an application needs to import its runtime (docs/application.md)."""

import os

from edgeq.agent.apps import Activation
from edgeq.agent.durable import make_folder, write_json
from edgeq.agent.layout import Root
from edgeq.agent.remembered import remembered_job
from edgeq.nouns.bundle import PYTHON_PATH


def make_importable(root: Root, app: str, goal: Activation) -> None:
    """Write which folders go on sys.path for `goal`, relative to its own; nothing is known of them where no job came with it.

    Modules there get a folder for what Python compiles of them: made by an application that runs as root, it could be
    removed by nobody else.
    """
    folder = root.release(app, goal.digest) / "candidates" / goal.candidate
    job = remembered_job(root, app, goal.digest, goal.candidate)
    entrant = next((e for e in job.entrants if e.id == goal.candidate), None) if job else None
    if entrant is not None:
        paths = [os.path.relpath(root.path / path, folder) for path in entrant.python_path]
        write_json(folder / PYTHON_PATH, paths)
    if any(folder.glob("*.py")):
        make_folder(folder / "__pycache__")
