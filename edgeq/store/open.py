"""Where measurements are kept: a SQLite file by default, another by path or URL."""

from pathlib import Path

import platformdirs

from edgeq.errors import StoreRefused
from edgeq.store.sqlite import Store

_SQLITE = "sqlite:///"


def default_path() -> Path:
    """The file of this user."""
    return Path(platformdirs.user_state_dir("edgeq")) / "measurements.db"


def open_store(url: str | None = None) -> Store:
    """`url` is a path, sqlite:///relative/path or sqlite:////absolute/path; None: the user's own file.

    The file is made when it is not there, and brought to today's schema when it is older. Close the store, or use it in
    a `with`. Raises StoreRefused.
    """
    if url is None:
        return Store(default_path())
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return Store(Path(url.removeprefix(_SQLITE)))
    if url.startswith(("postgresql://", "postgres://")):
        raise StoreRefused("PostgreSQL is not supported yet", f"use a file: --store {_SQLITE}measurements.db")
    if "://" in url or url.startswith(_SQLITE.rstrip("/")):
        raise StoreRefused(f"{url} is no store that edgeq knows", f"name a path, or {_SQLITE}path")
    return Store(Path(url))
