"""A home of its own for a benchmark: nothing of the user's is read or written, and nothing stays behind.

What edgeq keeps (cache, store, releases of this machine) goes to a temporary folder for the time of the block. A cache
that is given lasts: a model converted in one run is not converted again in the next.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.lab.ssh_home import path_with_ssh

ROOT = Path(__file__).resolve().parent.parent


def data_folder() -> Path:
    """The real models: $EDGEQ_DATA, or shared/data beside the checkout. Ends the program when they are absent."""
    path = Path(os.environ.get("EDGEQ_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not path.is_dir():
        sys.exit(
            f"the real models are not at {path}: set EDGEQ_DATA to the folder that has cifar10/, mnist/ ..."
        )
    return path


@contextlib.contextmanager
def own_home(cache: Path | None = None) -> Iterator[Path]:
    """An empty folder that is HOME, for this process and those it starts."""
    with tempfile.TemporaryDirectory(prefix="edgeq-benchmark-") as name:
        home = Path(name)
        places = {
            "HOME": home,
            "XDG_DATA_HOME": home / "data",
            "XDG_CONFIG_HOME": home / "config",
            "XDG_CACHE_HOME": cache.resolve() if cache else home / "cache",
        }
        own = {key: str(place) for key, place in places.items()}
        with mock.patch.dict(os.environ, {**own, "PATH": path_with_ssh(home)}):
            yield home
