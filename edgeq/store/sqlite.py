"""The store in one SQLite file: add, list, get. Several processes may use it at once."""

import contextlib
import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from edgeq.errors import StoreRefused
from edgeq.nouns.measurement import Measurement
from edgeq.nouns.record import canonical_json
from edgeq.nouns.report import StoredRow
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.store.schema import APPLICATION, UPGRADES, VERSION, create, pack, unpack

_WAIT_S = 30.0  # for another process to finish writing
_COLUMNS = tuple(field.name for field in dataclasses.fields(StoredRow))  # the table has a column of each name
_ROW = ", ".join(_COLUMNS)


class Store:
    """Opened by edgeq.store.open.open_store. Every failure is a StoreRefused that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Transactions are begun here and nowhere else: the module's own implicit ones are off.
            self._connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        try:
            with _translated(path):
                self._bring_up_to_date()
        except BaseException:
            self._connection.close()
            raise

    def add(
        self, measurement: Measurement, *, host: str, release: str, app: str, delivery: Mapping[str, Any]
    ) -> bool:
        """Keep a measurement whole; durable when this returns. False when this job of this device is there already."""
        facts = measurement.facts
        row = {
            "job": measurement.job.id,
            "machine_id": facts.machine_id,
            "kind": measurement.job.kind,
            "app": app,
            "release": release,
            "host": host,
            "board": facts.board,
            "started_utc": measurement.started_utc,
            "state": measurement.state,
            "quiet": measurement.quiet,
            "emulated": facts.emulated,
            "delivery": canonical_json(dict(delivery)).decode(),
            "raw": pack(canonical_json(measurement.to_dict())),
        }
        names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
        with _translated(self.path), self._transaction("IMMEDIATE"):
            done = self._connection.execute(
                f"INSERT INTO measurements ({names}) VALUES ({places}) ON CONFLICT DO NOTHING", row
            )
        return done.rowcount == 1

    def list(
        self,
        *,
        app: str | None = None,
        host: str | None = None,
        release: str | None = None,
        board: str | None = None,
        limit: int | None = None,
    ) -> tuple[StoredRow, ...]:
        """The newest first. `release` is the beginning of a digest; the other filters are exact."""
        exact = {"app": app, "host": host, "board": board}
        tests = [f"{name} = :{name}" for name, value in exact.items() if value is not None]
        if release is not None:
            tests.append("substr(release, 1, length(:release)) = :release")
        where = f"WHERE {' AND '.join(tests)}" if tests else ""
        query = f"SELECT {_ROW} FROM measurements {where} ORDER BY started_utc DESC, number DESC LIMIT :limit"
        values = exact | {"release": release, "limit": -1 if limit is None else limit}
        with _translated(self.path):
            return tuple(_row(found) for found in self._connection.execute(query, values))

    def find(self, id: str) -> StoredRow:
        """The row with this number, this job id, or the one job id that begins so. Raises StoreRefused."""
        query = f"SELECT {_ROW} FROM measurements WHERE {{}} ORDER BY number"
        attempts = [("job = ?", id), ("substr(job, 1, length(?1)) = ?1", id)]
        if id.isdecimal() and len(id) < 10:
            attempts.insert(0, ("number = ?", id))
        with _translated(self.path):
            for test, value in attempts:
                found = [_row(r) for r in self._connection.execute(query.format(test), (value,))]
                if len(found) == 1:
                    return found[0]
                if found:
                    names = [f"{row.number}: {row.job} ({row.app} on {row.host})" for row in found]
                    raise StoreRefused(f"{id!r} is the beginning of {len(found)} measurements", details=names)
        raise StoreRefused(
            f"there is no measurement {id!r} in {self.path}", "`edgeq report` lists their numbers"
        )

    def get(self, id: str) -> Measurement:
        """The whole measurement; `id` as in `find`."""
        number = self.find(id).number
        with _translated(self.path):
            (raw,) = self._connection.execute(
                "SELECT raw FROM measurements WHERE number = ?", (number,)
            ).fetchone()
            return Measurement.from_dict(unpack(raw))

    def keep_tradeoff(self, measurement: Measurement, tradeoff: Tradeoff) -> None:
        """Beside a measurement that was added before."""
        values = canonical_json(tradeoff.to_dict()).decode(), measurement.job.id, measurement.facts.machine_id
        with _translated(self.path), self._transaction("IMMEDIATE"):
            self._connection.execute(
                "UPDATE measurements SET tradeoff = ? WHERE job = ? AND machine_id = ?", values
            )

    def tradeoff(self, id: str) -> Tradeoff | None:
        """Where one decided by this measurement; `id` as in `find`."""
        number = self.find(id).number
        with _translated(self.path):
            query = "SELECT tradeoff FROM measurements WHERE number = ?"
            (kept,) = self._connection.execute(query, (number,)).fetchone()
            return None if kept is None else Tradeoff.from_dict(json.loads(kept))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bring_up_to_date(self) -> None:
        """Under the write lock, so that two processes that open an old file at once upgrade it once."""
        with self._transaction("DEFERRED"):  # one snapshot: another process may be making the file right now
            if self._version() == VERSION:
                return
        with self._transaction("IMMEDIATE"):
            version = self._version()
            if version == 0 and self._is_empty():
                create(self._connection)
            for step in range(version, VERSION) if version else ():
                UPGRADES[step](self._connection)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")

    def _version(self) -> int:
        """Of the schema; 0 in an empty file. Raises StoreRefused for a database that is not ours or is newer."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION and not (version == 0 and self._is_empty()):
            raise StoreRefused(f"{self.path} is somebody else's database", "name another file with --store")
        if version > VERSION:
            raise StoreRefused(
                f"{self.path} was written by a newer edgeq (schema {version}, this one knows {VERSION})",
                "update edgeq, or name another file with --store",
            )
        return int(version)

    def _is_empty(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        """IMMEDIATE takes the write lock at the beginning, so that nothing fails half way for want of it."""
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _row(found: tuple[Any, ...]) -> StoredRow:
    plain = dict(zip(_COLUMNS, found, strict=True))
    plain |= {"quiet": bool(plain["quiet"]), "delivery": json.loads(plain["delivery"])}
    return StoredRow.from_dict(plain)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Everything that sqlite3, zlib, the file system and the noun's own reader can say, as StoreRefused."""
    try:
        yield
    except StoreRefused:
        raise
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreRefused(f"{path} is locked by another process", "try again") from None
        raise StoreRefused(f"{path} cannot be used: {error}", "name another file with --store") from None
    except (sqlite3.DatabaseError, zlib.error, ValueError, KeyError) as error:
        raise StoreRefused(
            f"{path} is damaged, or no store of measurements: {error}",
            f"move it away (mv {path} {path}.damaged) and a new one is made, or name another with --store",
        ) from None
    except OSError as error:
        raise StoreRefused(
            f"{path} cannot be used: {error.strerror}", "name another file with --store"
        ) from None
