"""What one inference costs in energy: measured by a sensor where there is one, else estimated and called so.

Sensors are read while a series of its own runs after the race, so that reading them disturbs no latency.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from edgeq.nouns.job import Job
from edgeq.nouns.measurement import Energy

from .active_entrant import ActiveEntrant
from .probes.energy import Meter, find_meter
from .spawn import ChildFailed

_FS = Path("/")
_SERIES_S = 1.0
_READ_EVERY_S = 0.1
_LONGEST_SERIES = 20_000  # inferences; their latencies travel back though nobody keeps them


def account_energy(entrants: Sequence[ActiveEntrant], job: Job) -> "dict[str, str]":
    """Fill in `energy` of every entrant that is still in; None stays where there is neither sensor nor model.

    Returns which sensors could not be read, and why.
    """
    meter, absent = find_meter(_FS)
    for entrant in (c for c in entrants if c.alive and c.blocks):
        if meter is None:
            entrant.energy = _estimated(entrant, job)
            continue
        try:
            entrant.energy = _measured(entrant, meter)
        except OSError as error:  # the sensor, not the model: no figure is better than half of one
            entrant.release()
            absent = {**absent, meter.source: f"stopped answering: {error.strerror or error}"}
    return absent


def _measured(entrant: ActiveEntrant, meter: Meter) -> Optional[Energy]:
    """Joules over a series of about a second, from the moment its inferences begin. Raises OSError of the sensor."""
    count = min(max(entrant.block_length, int(_SERIES_S * 1e9 / entrant.expected_ns)), _LONGEST_SERIES)
    timeout_s = entrant.job.limits.load_seconds + 10 * count * entrant.expected_ns / 1e9
    start = end = 0.0
    try:
        for event in entrant.started_child().events(entrant.session_request(count), timeout_s, _READ_EVERY_S):
            end = meter.joules()
            if event is not None and event.get("at") == "timing":
                start = end
    except ChildFailed as failure:
        entrant.fail(failure)
        return None
    if not entrant.lasting:
        entrant.release()
    return Energy((end - start) / count, "measured", meter.source)


def _estimated(entrant: ActiveEntrant, job: Job) -> Optional[Energy]:
    """CPU seconds per inference times the watts of one busy core above idle."""
    inferences = sum(len(b.latency_ns) for b in entrant.blocks)
    if job.energy is None or not inferences:
        return None
    cpu_seconds = sum(b.cpu_ns for b in entrant.blocks) * 1e-9 / inferences
    return Energy(cpu_seconds * job.energy.active_core_watts, "estimated", job.energy.source)
