"""How many bytes a second the link to a device carries, by sending it some that it throws away."""

import os
import time

from edgeq.transport.base import Transport

_THROW_AWAY = ("sh", "-c", "cat > /dev/null")
_SIZES = (32 << 10, 256 << 10, 2 << 20)
_LONG_ENOUGH_S = 0.15  # beside which the noise of two round trips is small


def link_bytes_s(transport: Transport) -> float:
    """Sends more until it takes long enough; 2 MB in all where the link is fast. Raises LinkLost."""
    idle = min(_seconds(transport, b""), _seconds(transport, b""))
    rate = 0.0
    for size in _SIZES:
        taken = _seconds(transport, os.urandom(size)) - idle  # random, as a link may compress by itself
        rate = size / max(taken, 1e-4)
        if taken >= _LONG_ENOUGH_S:
            break
    return rate


def _seconds(transport: Transport, content: bytes) -> float:
    start = time.monotonic()
    transport.run(_THROW_AWAY, stdin=content)
    return time.monotonic() - start
