"""The device's two clocks: the calendar for people, the boot clock for leases."""

import time
from datetime import datetime, timezone
from pathlib import Path

# CLOCK_BOOTTIME counts through suspend; where there is none (macOS, for development) the monotonic clock serves.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> str:
    """Such as 2025-01-31T12:00:00Z; a board without a battery clock may be years off."""
    return utc_text(time.time())


def utc_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def boot_ns() -> int:
    """Nanoseconds since this boot; comparable between processes, not between boots."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


def boot_id() -> str:
    """Names this boot; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
