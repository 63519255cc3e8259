"""The tables, and how a file of an older edgeq becomes one of today's. One function per step, never edited afterwards.

`raw` is the measurement's whole JSON, compressed: every other column but `tradeoff` is read out of it or out of the delivery, so a
later schema can always fill its new columns from what is there.
"""

import json
import sqlite3
import zlib
from typing import Any

APPLICATION = 0x45444751  # "EDGQ" in the file's header: nobody else's database is upgraded by mistake
VERSION = 3


def create(connection: sqlite3.Connection) -> None:
    """Tables of VERSION in an empty file."""
    create_version_1(connection)
    upgrade_1_to_2(connection)
    upgrade_2_to_3(connection)


def create_version_1(connection: sqlite3.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE measurements (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            job TEXT NOT NULL,
            machine_id TEXT NOT NULL,
            app TEXT NOT NULL,
            release TEXT NOT NULL,
            host TEXT NOT NULL,
            started_utc TEXT NOT NULL,
            state TEXT NOT NULL,
            quiet INTEGER NOT NULL,
            delivery TEXT NOT NULL,
            raw BLOB NOT NULL,
            UNIQUE (job, machine_id)
        )
        """
    )


def upgrade_1_to_2(connection: sqlite3.Connection) -> None:
    """Lists tell boards and emulators apart without unpacking every measurement; two keys that nothing read are gone."""
    connection.execute("ALTER TABLE measurements ADD COLUMN kind TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE measurements ADD COLUMN board TEXT NOT NULL DEFAULT ''")
    connection.execute("ALTER TABLE measurements ADD COLUMN emulated TEXT")
    connection.execute("CREATE INDEX by_app ON measurements (app, started_utc)")
    for number, raw in connection.execute("SELECT number, raw FROM measurements").fetchall():
        try:
            said = unpack(raw)
            read = said["job"]["kind"], said["facts"]["board"], said["facts"].get("emulated")
        except (zlib.error, ValueError, KeyError):
            continue  # a damaged one says so when it is asked for; it does not keep the others away
        kept = pack(json.dumps(_without_retired_keys(said), separators=(",", ":")).encode())
        connection.execute(
            "UPDATE measurements SET kind = ?, board = ?, emulated = ?, raw = ? WHERE number = ?",
            (*read, kept, number),
        )


def _without_retired_keys(said: Any) -> Any:
    """A measurement of version 1 as later nouns read it: neither key ever held anything."""
    said["job"].pop("labels", None)
    for run in said.get("runs", ()):
        for block in run.get("blocks", ()):
            block.pop("energy_uj", None)
    return said


def upgrade_2_to_3(connection: sqlite3.Connection) -> None:
    """What candidates lose and cost, and why one was chosen: no measurement says that, so older ones have none."""
    connection.execute("ALTER TABLE measurements ADD COLUMN tradeoff TEXT")


UPGRADES = {1: upgrade_1_to_2, 2: upgrade_2_to_3}


def pack(measurement: bytes) -> bytes:
    """JSON bytes as they are stored; raw samples are digits and shrink to about a third."""
    return zlib.compress(measurement, 6)


def unpack(raw: bytes) -> Any:
    return json.loads(zlib.decompress(raw))
