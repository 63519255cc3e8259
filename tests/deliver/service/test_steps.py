"""Steps are done in order, and taken back in the other order where one fails. This machine is the device."""

from pathlib import Path

import pytest

from edgeq.deliver.service.steps import apply
from edgeq.errors import RemoteFailed
from edgeq.nouns.service import RemoveFile, RunCommand, SendFile, ServiceStep, WriteFile
from edgeq.request.tell import silence
from edgeq.transport.local import LocalTransport

FAILS = RunCommand("fails", ("sh", "-c", "echo no >&2; exit 3"))


def steps(folder: Path) -> tuple[ServiceStep, ...]:
    """One of each kind, on files in `folder`: `old` is there, `new`, `sent` and `made` are not."""
    (folder / "old").write_text("old")
    (folder / "gone").write_text("gone")
    (folder / "source").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return (
        WriteFile(f"{folder}/units.d/new", "new", None, (), (f"{folder}/units.d",)),
        WriteFile(f"{folder}/old", "changed", "old", ()),
        RemoveFile(f"{folder}/gone", "gone", ()),
        SendFile(f"{folder}/source", f"{folder}/sent", empty),
        RunCommand("makes a folder", ("mkdir", f"{folder}/made"), ("rmdir", f"{folder}/made")),
        RunCommand("only the way back", undo=("rm", f"{folder}/source")),
    )


def test_all_are_done(tmp_path: Path) -> None:
    apply(steps(tmp_path), LocalTransport(), silence)
    assert (tmp_path / "units.d/new").read_text() == "new"
    assert (tmp_path / "old").read_text() == "changed"
    assert {p.name for p in tmp_path.iterdir()} == {"units.d", "old", "source", "sent", "made"}


def test_a_failure_takes_all_back(tmp_path: Path) -> None:
    told: list[ServiceStep] = []
    planned = (*steps(tmp_path), FAILS)
    with pytest.raises(RemoteFailed, match="exit code 3") as failed:
        apply(planned, LocalTransport(), told.append)
    assert failed.value.details == ("no", "everything that this run did was taken back")
    assert tuple(told) == planned
    assert (tmp_path / "old").read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"old", "gone"}


def test_a_failure_that_is_forgiven_stops_nothing(tmp_path: Path) -> None:
    forgiven = RunCommand("fails", FAILS.words, forgive=True)
    apply((forgiven, *steps(tmp_path)), LocalTransport(), silence)
    assert (tmp_path / "made").is_dir()


def test_what_could_not_be_taken_back_is_said(tmp_path: Path) -> None:
    stays = RunCommand("has no way back", undo=FAILS.words)
    with pytest.raises(RemoteFailed) as failed:
        apply((stays, FAILS), LocalTransport(), silence)
    assert failed.value.details[1] == "all was taken back but for:"
