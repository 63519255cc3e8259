from collections.abc import Callable

import pytest

from edgeq.nouns.device import Conditions, Facts
from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.measurement import Block, Measurement, Run

MakeMeasurement = Callable[..., Measurement]


@pytest.fixture
def measure() -> MakeMeasurement:
    """measure("job1", machine="m1", started="2026-01-05T10:00:00+00:00", emulated=None)"""

    def make(
        id: str,
        *,
        machine: str = "m1",
        started: str = "2026-01-05T10:00:00+00:00",
        emulated: str | None = None,
    ) -> Measurement:
        facts = Facts(
            board="Raspberry Pi 4", machine="aarch64", arch="aarch64", bits=64, cpu_model="Cortex-A72", cores=4,
            isa=("asimd",), max_frequency_khz=None, memory_total=4, memory_available=3, python="3.11.2",
            python_path="/usr/bin/python3", libc="glibc 2.36", os="Debian 12", kernel="6.6", hostname="pi", user="pi",
            boot_id="b", root="/r", root_free=1, root_writable=True, emulated=emulated, machine_id=machine,
        )  # fmt: skip
        job = Job(
            id, "race", "digits", (Entrant("a", "onnxruntime", "m", "d" * 64, ("x",), ("y",)),), "samples/s"
        )
        run = Run("a", "ok", blocks=(Block(0, 0, 10, 20, (1_000_001, 1_000_002)),))
        now = Conditions(uptime_ns=1)
        return Measurement(job, "done", "agent", started, started, facts, now, now, (run,), quiet=True)

    return make
