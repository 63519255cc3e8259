import multiprocessing
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeq.errors import StoreRefused
from edgeq.nouns.measurement import Measurement
from edgeq.store.open import default_path, open_store
from edgeq.store.schema import APPLICATION, VERSION
from edgeq.store.sqlite import Store

from .conftest import MakeMeasurement


def add(
    store: Store, measurement: Measurement, app: str = "digits", release: str = "3f9c", host: str = "pi@a"
) -> bool:
    return store.add(measurement, host=host, release=release, app=app, delivery={"bytes_sent": 7})


def test_what_is_added_comes_back_whole(tmp_path: Path, measure: MakeMeasurement) -> None:
    with open_store(str(tmp_path / "new/folder/m.db")) as store:
        assert add(store, measure("job1"))
    with open_store(f"sqlite:///{tmp_path}/new/folder/m.db") as store:
        assert store.get("job1") == measure("job1")
        (row,) = store.list()
        assert row.delivery == {"bytes_sent": 7}
        assert (row.number, row.job, row.kind, row.app, row.board) == (
            1,
            "job1",
            "race",
            "digits",
            "Raspberry Pi 4",
        )


def test_the_same_job_is_kept_once_and_another_devices_is_another(
    tmp_path: Path, measure: MakeMeasurement
) -> None:
    with open_store(str(tmp_path / "m.db")) as store:
        assert add(store, measure("job1"))
        assert not add(store, measure("job1"))
        assert add(store, measure("job1", machine="m2"))
        assert len(store.list()) == 2


def test_lists_are_newest_first_and_filtered(tmp_path: Path, measure: MakeMeasurement) -> None:
    with open_store(str(tmp_path / "m.db")) as store:
        add(store, measure("a", started="2026-01-02T00:00:00+00:00"))
        add(store, measure("b", started="2026-01-03T00:00:00+00:00", emulated="marker"), release="3f00")
        add(store, measure("c", started="2026-01-01T00:00:00+00:00"), app="faces", host="pi@b")
        assert [row.job for row in store.list()] == ["b", "a", "c"]
        assert [row.job for row in store.list(app="digits")] == ["b", "a"]
        assert [row.job for row in store.list(host="pi@b")] == ["c"]
        assert [row.job for row in store.list(release="3f9")] == ["a", "c"]
        assert [row.job for row in store.list(release="%")] == []
        assert [row.job for row in store.list(limit=1)] == ["b"]
        assert store.list()[0].emulated == "marker"


def test_found_by_number_or_by_the_beginning_of_its_id(tmp_path: Path, measure: MakeMeasurement) -> None:
    with open_store(str(tmp_path / "m.db")) as store:
        for id in ("20260105T10-aa", "20260105T11-bb", "20260105T11"):
            add(store, measure(id))
        assert store.find("2").job == "20260105T11-bb"
        assert store.find("20260105T10").job == "20260105T10-aa"
        assert store.find("20260105T11").number == 3, "a whole id wins over longer ones"
        with pytest.raises(StoreRefused, match="beginning of 3 measurements") as refused:
            store.find("2026")
        assert len(refused.value.details) == 3
        with pytest.raises(StoreRefused, match="no measurement 'zz'"):
            store.get("zz")


def _add_fifty(path: str, name: str, make: Measurement) -> None:
    from dataclasses import replace

    for i in range(50):
        with open_store(path) as store:
            add(store, replace(make, job=replace(make.job, id=f"{name}{i}")))


def test_two_processes_write_at_once(tmp_path: Path, measure: MakeMeasurement) -> None:
    path = str(tmp_path / "m.db")  # made by whoever comes first
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=_add_fifty, args=(path, name, measure("x"))) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with open_store(path) as store:
        assert len(store.list()) == 100


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: p.write_bytes(b"these are holiday photos" * 50), "damaged, or no store"),
        (lambda p: p.mkdir(), "cannot be used"),
        (
            lambda p: sqlite3.connect(p).executescript("CREATE TABLE photos (x); PRAGMA user_version = 3"),
            "somebody else",
        ),
    ],
)
def test_files_that_are_no_store(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "m.db"
    spoil(path)
    with pytest.raises(StoreRefused, match=said) as refused:
        open_store(str(path))
    assert "--store" in str(refused.value.remedy)


def test_a_damaged_measurement_does_not_hide_the_others(tmp_path: Path, measure: MakeMeasurement) -> None:
    with open_store(str(tmp_path / "m.db")) as store:
        add(store, measure("good"))
        add(store, measure("bad"))
    with sqlite3.connect(tmp_path / "m.db") as file:
        file.execute("UPDATE measurements SET raw = x'00' WHERE job = 'bad'")
    with open_store(str(tmp_path / "m.db")) as store:
        assert len(store.list()) == 2
        assert store.get("good") == measure("good")
        with pytest.raises(StoreRefused, match="damaged"):
            store.get("bad")


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    open_store(str(tmp_path / "m.db")).close()
    with sqlite3.connect(tmp_path / "m.db") as file:
        file.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StoreRefused, match="newer edgeq"):
        open_store(str(tmp_path / "m.db"))


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite:///", "sqlite://x"])
def test_urls_that_are_no_store(url: str) -> None:
    with pytest.raises(StoreRefused, match="no measurement database that edgeq can open"):
        open_store(url)


def test_postgresql_is_said_to_come_later() -> None:
    with pytest.raises(StoreRefused, match="not supported yet"):
        open_store("postgresql://db/edgeq")


def test_by_default_it_lies_in_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "edgeq/measurements.db"
    open_store().close()
    with sqlite3.connect(default_path()) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
