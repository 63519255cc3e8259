"""A file that an older edgeq wrote opens today, with nothing lost."""

import shutil
from dataclasses import replace
from pathlib import Path

from edgeq.nouns.measurement import Attempt
from edgeq.store.open import open_store

from .conftest import MakeMeasurement

VERSION_1 = Path(__file__).parent / "version_1.db"


def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path, measure: MakeMeasurement) -> None:
    shutil.copy(VERSION_1, tmp_path / "m.db")
    with open_store(str(tmp_path / "m.db")) as store:
        assert [(row.job, row.kind, row.board, row.emulated) for row in store.list()] == [
            ("old2", "race", "Raspberry Pi 4", "marker"),
            ("old1", "race", "Raspberry Pi 4", None),
        ]
        assert store.tradeoff("old1") is None
        assert store.get("old1") == replace(measure("old1"), attempts=(Attempt(0, 1),))
    with open_store(str(tmp_path / "m.db")) as store:
        assert len(store.list()) == 2
