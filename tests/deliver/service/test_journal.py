"""The journal as `edgeq agent logs` prints it."""

import json
from dataclasses import dataclass, replace
from typing import Any

from edgeq.deliver.service.journal import read_log
from edgeq.transport.base import Completed
from tests.deliver.service.test_plan import DONE


@dataclass
class Journal:
    """A device whose journal holds `messages`, of which --lines=N gives the last N."""

    messages: list[str]
    label: str = "pi@board"

    def run(self, words: tuple[str, ...]) -> Completed:
        wanted = int(next(word for word in words if word.startswith("--lines=")).removeprefix("--lines="))
        lines = [json.dumps({"MESSAGE": m, "UNIT": "edgeq-agent.service"}) for m in self.messages[-wanted:]]
        return Completed(0, "\n".join(lines).encode(), b"")


def test_lines_of_the_progress_bar_are_left_out() -> None:
    bar = [json.dumps({"progress": {"round": i, "of": 60, "seconds": 0.5}}) for i in range(25)]
    journal: Any = Journal(["starting", *bar, "job a: ok", *bar, "job b: ok"])
    log = read_log(journal, replace(DONE, groups=("adm",)), 3)
    assert [entry.message for entry in log.entries] == ["starting", "job a: ok", "job b: ok"]
    shorter = read_log(journal, replace(DONE, groups=("adm",)), 2)
    assert [entry.message for entry in shorter.entries] == ["job a: ok", "job b: ok"]
