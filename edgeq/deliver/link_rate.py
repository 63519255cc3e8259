"""How many bytes a second the link to a device carries: by what was sent there last, else by some bytes that the device throws away."""

import contextlib
import json
import os

from edgeq.conversion.cache import folder
from edgeq.deliver.agent_link import AgentLink
from edgeq.transport.base import Sent

_TELLS_BYTES = 256 << 10  # from so many on, the time that they took is the link's
_SENT_TO_MEASURE = (64 << 10, 1 << 20)
_LONG_ENOUGH_S = 0.1
_MOST_LINKS = 200
# Timed there: neither the round trips before nor the start of python3 count.
_THROW_AWAY = (
    "import sys, time; f = sys.stdin.buffer; f.read(8192); t = time.monotonic(); n = len(f.read()); "
    "print(n, time.monotonic() - t)"
)


def remember(label: str, sent: Sent) -> None:
    """What an upload to the device called `label` tells of its link; a cache that cannot be written is no reason to fail."""
    if sent.bytes_sent < _TELLS_BYTES or sent.send_s <= 0:
        return
    known = _known()
    known.pop(label, None)
    known[label] = sent.bytes_sent / sent.send_s
    with contextlib.suppress(OSError):
        path = folder() / "links.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(dict([*known.items()][-_MOST_LINKS:])))
        beside.replace(path)


def remembered(label: str) -> float | None:
    """Bytes per second of the last upload there that told."""
    return _known().get(label)


def measured(link: AgentLink) -> float:
    """Sends 64 kB, and 1 MB where these are there in no time. Raises LinkLost."""
    rate = 1e9
    for size in _SENT_TO_MEASURE:
        content = os.urandom(size)  # random, as a link may compress by itself
        done = link.transport.run((link.python, "-I", "-c", _THROW_AWAY), stdin=content)
        try:
            count, seconds = (float(word) for word in done.stdout.split())
        except ValueError:
            return rate  # as fast as nothing is compressed for
        rate = count / max(seconds, 1e-4)
        if seconds >= _LONG_ENOUGH_S:
            break
    return rate


def _known() -> dict[str, float]:
    try:
        found = json.loads((folder() / "links.json").read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {k: float(v) for k, v in found.items() if isinstance(v, int | float) and v > 0}
