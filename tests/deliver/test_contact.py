"""The first words with a device, over the local transport: a folder is the device's root."""

from pathlib import Path

import pytest

from edgeq.deliver.contact import contact
from edgeq.transport.local import LocalTransport


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half", None], ids=["emptied", "truncated", "removed"])
def test_a_damaged_agent_is_brought_again(tmp_path: Path, damage: "bytes | None") -> None:
    where = {"root": str(tmp_path / "root")}
    first = contact(LocalTransport(), **where)
    archive = Path(first.link.path)
    whole = archive.read_bytes()
    archive.unlink()
    if damage is not None:
        archive.write_bytes(damage)

    again = contact(LocalTransport(), **where)
    assert again.installed and again.facts.root == where["root"]
    assert archive.read_bytes() == whole


def test_looking_runs_a_whole_agent_and_mends_nothing(tmp_path: Path) -> None:
    where = {"root": str(tmp_path / "root")}
    archive = Path(contact(LocalTransport(), **where).link.path)
    archive.chmod(0o644)
    archive.write_bytes(b"damaged")

    seen = contact(LocalTransport(), **where, look_only=True)
    assert seen.installed and seen.facts.python
    assert archive.read_bytes() == b"damaged"


def test_a_whole_agent_is_not_sent_again(tmp_path: Path) -> None:
    where = {"root": str(tmp_path / "root")}
    archive = Path(contact(LocalTransport(), **where).link.path)
    before = archive.stat().st_ino, archive.stat().st_mtime_ns
    again = contact(LocalTransport(), **where, look_only=True)
    assert again.link.lent is None
    assert (archive.stat().st_ino, archive.stat().st_mtime_ns) == before
