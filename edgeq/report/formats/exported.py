"""What `edgeq export` wrote: the files, and how to go on."""

import shlex

from rich.console import Console

from edgeq.nouns.export import Exported
from edgeq.report.formats.layout import say
from edgeq.report.formats.making import compared_with_float
from edgeq.report.formats.units import short, size


def show_exported(exported: Exported, console: Console) -> None:
    candidate = exported.candidate
    facts = [
        candidate.id,
        *([candidate.scheme] if candidate.scheme else []),
        f"bundle {short(exported.digest)}",
    ]
    if not exported.written:
        facts.append("dry run: nothing was written")
    say(console, "export", facts)
    if exported.fidelity:
        say(
            console,
            "export",
            [
                f"  {fact}" if i == 0 else fact
                for i, fact in enumerate(compared_with_float(exported.fidelity))
            ],
        )
    for file in exported.files:
        say(console, "export", [f"  {file.path}", size(file.size)])
    for example in exported.left_out:
        say(console, "note", [f"{example.what} is not written: {example.reason}"])
    if exported.others:
        say(console, "note", [f"other candidates: {', '.join(exported.others)} (--candidate ID)"])
    if not exported.written:
        return
    for file in exported.files:
        if file.path.endswith("example.py"):
            say(console, "run it", [f"python3 {shlex.quote(file.path)}"])
        if file.path.lower().endswith("example.kt"):
            say(console, "use it", [f"the first lines of {file.path} say how, in an Android app"])
