"""The first words with a device: is there a Python, where do edgeq's files live, is our agent there, what is it?"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq import catalog
from edgeq.deliver.agent_archive import AgentArchive, build_agent
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.printable import printable
from edgeq.errors import DeviceUnfit, RemoteFailed
from edgeq.nouns.device import Facts
from edgeq.transport.base import Transport

OLDEST_PYTHON = (3, 9)


@dataclass(frozen=True)
class Contact:
    """A device that answers. `installed` is False where edgeq has never been."""

    link: AgentLink
    facts: Facts
    installed: bool


def contact(
    transport: Transport, *, root: str | None, cache: Path, python: str | None = None, look_only: bool = False
) -> Contact:
    """Find python3 and the root, bring the agent when it is missing, read the facts.

    `look_only` leaves the device untouched. Raises DeviceUnfit when there is no python3 >= 3.9.
    """
    archive = build_agent(cache)
    hello = _hello(transport, archive, root, python)
    link = AgentLink(transport, hello["python"], f"{hello['root']}/agent/{archive.name}", hello["root"])
    known = hello["known"] == "yes"
    if hello["agent"] == "no" and look_only:
        link = replace(link, lent=archive.path)
    elif hello["agent"] == "no":
        transport.put(archive.path, link.path, sha256=archive.sha256)
        known = True
    return Contact(link, Facts.from_dict(link.call("facts")), installed=known)


def settle(link: AgentLink) -> AgentLink:
    """An agent that was only lent comes to stay, which everything that changes the device needs. Twice is once."""
    if link.lent is None:
        return link
    sha256 = hashlib.sha256(link.lent.read_bytes()).hexdigest()
    link.transport.put(link.lent, link.path, sha256=sha256)
    return replace(link, lent=None)


def _hello(
    transport: Transport, archive: AgentArchive, root: str | None, python: str | None
) -> dict[str, str]:
    script = (catalog.shipped("deploy") / "bootstrap.sh").read_bytes()
    done = transport.run(
        ("sh", "-s", "--", archive.name, root or "", python or ""), stdin=script, timeout_s=60
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    said: dict[str, str] = printable(dict(line.split("=", 1) for line in lines if "=" in line))
    if done.code != 0 or "root" not in said:
        tail = printable(done.stderr.decode(errors="replace").strip().splitlines()[-5:])
        raise RemoteFailed(f"{transport.label} does not run a POSIX shell for this login", details=tail)
    if not said.get("python"):
        raise DeviceUnfit(
            f"{transport.label} has no python3", "install python3 >= 3.9 there (apt-get install python3)"
        )
    version = tuple(int(part) for part in said["python_version"].split(".")[:2])
    if version < OLDEST_PYTHON:
        raise DeviceUnfit(
            f"{transport.label} has Python {said['python_version']}; the agent needs 3.9 or newer",
            "install a newer python3 beside it; edgeq looks for python3.9 to python3.13 too. Nothing was sent.",
        )
    return said
