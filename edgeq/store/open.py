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
    return Store(_path(url))


def open_known_store(url: str | None = None) -> Store | None:
    """For whoever only reads: a file that is not there is not made. None where the user has no store of his own yet;
    raises StoreRefused where the one that `url` names is missing.
    """
    path = _path(url)
    if path.exists():
        return Store(path)
    if url is None:
        return None
    raise StoreRefused(
        f"there is no measurement database {path}",
        "`edgeq deploy` and `edgeq bench` make one with the same --store",
    )


def _path(url: str | None) -> Path:
    if url is None:
        return default_path()
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return Path(url.removeprefix(_SQLITE))
    if url.startswith(("postgresql://", "postgres://")):
        raise StoreRefused("PostgreSQL is not supported yet", f"use a file: --store {_SQLITE}measurements.db")
    if "://" in url or url.startswith(_SQLITE.rstrip("/")):
        raise StoreRefused(
            f"{url} is no measurement database that edgeq can open", f"name a path, or {_SQLITE}path"
        )
    return Path(url)
