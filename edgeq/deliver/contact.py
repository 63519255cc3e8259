"""The first words with a device: is there a Python, where do edgeq's files live, is our agent there, what is it?"""

import hashlib
import re
from dataclasses import dataclass, replace

from edgeq import catalog
from edgeq.conversion.cache import folder
from edgeq.deliver.agent_archive import AgentArchive, build_agent
from edgeq.deliver.agent_link import AgentLink
from edgeq.deliver.device_answer import key_values, last_lines
from edgeq.errors import DeviceUnfit, RemoteFailed
from edgeq.nouns.device import Facts
from edgeq.transport.base import Transport

OLDEST_PYTHON = (3, 9)
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(\.\d{1,3})?", re.ASCII)
_LONGEST_PATH = 4096
_HELLO_S = 30.0  # a shell, and the start of a python3 from a slow card


@dataclass(frozen=True)
class Contact:
    """A device that answers. `installed`: edgeq has been there."""

    link: AgentLink
    facts: Facts
    installed: bool


def contact(
    transport: Transport, *, root: str | None, python: str | None = None, look_only: bool = False
) -> Contact:
    """Find python3 and the root, upload the agent where it is missing, read the facts.

    `look_only` leaves the device untouched. Raises DeviceUnfit when there is no python3 >= 3.9.
    """
    archive = build_agent(folder() / "agent")
    hello = _hello(transport, archive, root, python)
    link = AgentLink(transport, hello.python, f"{hello.root}/agent/{archive.name}", hello.root)
    known = hello.known
    if not hello.agent and look_only:
        link = replace(link, lent=archive.path)
    elif not hello.agent:
        transport.put(archive.path, link.path, sha256=archive.sha256)
        known = True
    facts: Facts = link.call("facts")
    return Contact(link, facts, installed=known)


def install_agent(link: AgentLink) -> AgentLink:
    """An agent that was only lent comes to stay, which everything that changes the device needs. Twice is once."""
    if link.lent is None:
        return link
    sha256 = hashlib.sha256(link.lent.read_bytes()).hexdigest()
    link.transport.put(link.lent, link.path, sha256=sha256)
    return replace(link, lent=None)


@dataclass(frozen=True)
class _Hello:
    """What deploy/bootstrap.sh found. `root` is absolute; `agent`: ours is there, whole; `known`: some agent is."""

    python: str
    root: str
    agent: bool
    known: bool


def _hello(transport: Transport, archive: AgentArchive, root: str | None, python: str | None) -> _Hello:
    script = (catalog.shipped("deploy") / "bootstrap.sh").read_bytes()
    done = transport.run(
        ("sh", "-s", "--", archive.name, root or "", python or ""), stdin=script, timeout_s=_HELLO_S
    )
    said = key_values(done.stdout)
    if done.code != 0 or "root" not in said:
        raise RemoteFailed(
            f"{transport.label} does not run a POSIX shell for this login", details=last_lines(done.stderr, 5)
        )
    if not said.get("python"):
        raise DeviceUnfit(
            f"{transport.label} has no python3", "install python3 >= 3.9 there (apt-get install python3)"
        )
    _require_new_enough(said.get("python_version", ""), transport.label)
    for what in ("python", "root"):
        if not _is_path(said[what]) and said[what] != python:
            raise RemoteFailed(
                f"the {what} that {transport.label} names is no absolute path: {said[what][:200]!r}",
                "a login script there may print lines of its own: see what `ssh HOST true` prints",
            )
    return _Hello(said["python"], said["root"], said.get("agent") == "yes", said.get("known") == "yes")


def _require_new_enough(version: str, label: str) -> None:
    parts = version.split(".")
    if not _VERSION.fullmatch(version) or tuple(map(int, parts[:2])) < OLDEST_PYTHON:
        raise DeviceUnfit(
            f"{label} has Python {version[:40] or 'of no version'}; the agent needs 3.9 or newer",
            "install a newer python3 beside it; edgeq looks for python3.9 to python3.13 too. Nothing was sent.",
        )


def _is_path(text: str) -> bool:
    return text.startswith("/") and len(text) <= _LONGEST_PATH and text.isprintable()
