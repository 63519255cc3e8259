"""docs/protocol.md names every command of the agent and no other."""

import re
from pathlib import Path

from edgeq.agent.__main__ import known_commands

PROTOCOL = Path(__file__).parents[3] / "docs" / "protocol.md"


def test_the_table_is_the_listing() -> None:
    table = re.findall(r"^\| `(\w+)` \|", PROTOCOL.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == list(known_commands())
