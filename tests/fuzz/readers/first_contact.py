"""What a login's shell says to the first words, to the questions about services, and what the journal holds."""

import base64
import json
import random
from pathlib import Path

from edgeq.deliver.agent_archive import AgentArchive
from edgeq.deliver.contact import _hello
from edgeq.deliver.service.journal import read_log
from edgeq.deliver.service.look import look
from edgeq.deliver.service.plan import uninstall_steps
from edgeq.deliver.service.state import read_state
from edgeq.nouns.service import ServiceChange
from edgeq.report.formats.in_python import as_text
from edgeq.transport.base import Completed
from edgeq.transport.local import LocalTransport
from tests.fuzz.mutations import changed_bytes, changed_json, changed_text

_ARCHIVE = AgentArchive(Path("/x.pyz"), "0" * 64, "0" * 16 + ".pyz")
_HELLO = """user=pi
machine=aarch64
python=/usr/bin/python3
python_version=3.11.2
root=/home/pi/.local/share/edgeq
agent=yes
known=yes
"""
_UNIT = "/etc/systemd/system/edgeq-agent.service"
_SHOWN = """Id=edgeq-agent.service
ActiveState=active
UnitFileState=static
Result=exit-code
ExecMainStatus=1
ExecMainStartTimestamp=Sat 2026-11-21 00:00:41 UTC

Id=edgeq-measure.timer
ActiveState=active
NextElapseUSecRealtime=Sat 2026-11-21 00:00:41 UTC
"""
_LINE = {
    "MESSAGE": "hello",
    "__REALTIME_TIMESTAMP": "1700000000000000",
    "UNIT": "edgeq-agent.service",
    "PRIORITY": "6",
    "_UID": "0",
}


def examples(folder: Path) -> list[bytes]:
    done = LocalTransport().run(("sh", "-s", "--", "system", "/var/lib/edgeq", "--", "--"), stdin=_look_sh())
    (folder / "looked").write_bytes(done.stdout)
    unit = base64.b64encode(b"ExecStart=/bin/sh --root /var/lib/edgeq drain\n").decode()
    looked = done.stdout.decode() + f"file:{_UNIT}={unit}\nunit:edgeq-agent.path:ActiveState=active\n"
    journal = json.dumps(_LINE) + "\n" + json.dumps({**_LINE, "MESSAGE": [104, 255, 105]})
    return [
        f"{name}\n{said}".encode()
        for name, said in {"hello": _HELLO, "look": looked, "show": _SHOWN, "journal": journal}.items()
    ]


def _look_sh() -> bytes:
    from edgeq import catalog

    return (catalog.shipped("deploy") / "systemd" / "look.sh").read_bytes()


def mutated(example: bytes, rng: random.Random) -> bytes:
    name, said = example.split(b"\n", 1)
    kind = rng.random()
    if name == b"journal" and kind < 0.6:
        said = b"\n".join(changed_json(line, rng) for line in said.split(b"\n"))
    elif kind < 0.4:
        said = changed_bytes(said, rng)
    elif kind < 0.6:
        lines = said.split(b"\n")
        del lines[rng.randrange(len(lines))]
        said = b"\n".join(lines)
    else:
        said = changed_text(said.decode(errors="replace"), rng).encode(errors="replace")
    return name + b"\n" + said


class _Saying(LocalTransport):
    """A device that says this and nothing else."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def run(self, *words: object, **options: object) -> Completed:  # type: ignore[override]
        return Completed(0, self._said, b"")


def read(content: bytes, folder: Path) -> object:
    name, said = content.split(b"\n", 1)
    device = _Saying(said)
    if name == b"hello":
        return _hello(device, _ARCHIVE, None, None)
    if name == b"look":
        found = look(device, "system", "/var/lib/edgeq")
        steps = uninstall_steps(found, everything=True, label="pi@board")
        return as_text(ServiceChange("uninstall", "pi@board", "system", "/var/lib/edgeq", True, steps))
    found = look(_Saying((folder / "looked").read_bytes()), "system", "/var/lib/edgeq")
    shown = read_state(device, found) if name == b"show" else read_log(device, found, 50)
    return as_text(shown)
