"""What a device has and lacks, each finding with its remedy. Changes nothing."""

from collections.abc import Iterator

from edgeq.deliver.preflight import missing_isa
from edgeq.deliver.session import Session
from edgeq.nouns.device import Conditions
from edgeq.nouns.diagnosis import Finding, note, ok, problem
from edgeq.nouns.target import Target
from edgeq.plain_text import counted

_LITTLE_DISK = 500_000_000
_LITTLE_MEMORY = 200_000_000


def device_findings(device: Session, target: Target) -> Iterator[Finding]:
    facts, where = device.facts, device.label
    yield ok(
        where,
        f"{facts.board}, {facts.cpu_model}, {facts.os}, Python {facts.python}, {facts.libc}, {facts.arch}",
    )
    if device.link.transport.route:
        yield ok(where, f"reached by {device.link.transport.route}")
    if facts.emulated:
        yield note(
            where,
            f"emulated ({facts.emulated}): timings are not representative",
            "measure on the board itself",
        )
    if not facts.root_writable:
        yield problem(
            where, f"{facts.user} cannot write {facts.root}", "give --root a folder that the login may write"
        )
    if facts.root_free < _LITTLE_DISK:
        yield note(
            where,
            f"{facts.root_free / 1e6:.0f} MB free on {facts.root}",
            "a runtime takes about 250 MB: free space, or --root on another disk",
        )
    if 0 < facts.memory_available < _LITTLE_MEMORY:
        yield note(
            where,
            f"{facts.memory_available / 1e6:.0f} MB of memory available",
            "stop what is not needed there",
        )
    lacking = missing_isa(facts, target)
    if lacking:
        yield note(
            where,
            f"lacks {', '.join(lacking)} of target {target.name}",
            "`edgeq targets` lists the kinds of device",
        )
    if facts.systemd is None:
        yield note(
            where, "systemd is not running there: no periodic measurements", "deployments work without it"
        )
    if device.installed:
        yield from _conditions(device)
    else:
        yield note(where, "edgeq is not installed there yet", "`edgeq deploy` installs what it needs")


def _conditions(device: Session) -> Iterator[Finding]:
    now: Conditions = device.link.call("probe")
    slow = sorted({g for g in now.governor.values() if g in ("powersave", "conservative")})
    if slow:
        yield note(
            device.label,
            f"CPU governor {', '.join(slow)}: figures depend on the load before",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    if now.throttled:
        yield note(
            device.label,
            f"the firmware reports throttling or under-voltage (bits {now.throttled:#x})",
            "a stronger power supply, a heat sink; then reboot",
        )
    status = device.status()
    yield ok(
        device.label,
        f"edgeq is there: {counted(len(status.apps), 'model')}, {status.root_used / 1e6:.0f} MB in {status.root}",
    )
    if status.lock:
        yield note(device.label, f"busy: {status.lock}", "the lock expires by itself")
