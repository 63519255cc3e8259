"""A realistic race as the agent would hand it back, made from known distributions."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from edgeq.nouns.device import Conditions, Facts
from edgeq.nouns.job import Entrant, Job
from edgeq.nouns.measurement import Block, Energy, Measurement, MemoryUse, Run

MakeRace = Callable[..., Measurement]

FACTS = Facts(
    board="Raspberry Pi 4 Model B Rev 1.4", machine="aarch64", arch="aarch64", bits=64, cpu_model="Cortex-A72",
    cores=4, isa=("asimd", "crc32", "fp"), max_frequency_khz=1_800_000, memory_total=3_900_000_000,
    memory_available=3_100_000_000, python="3.11.2", python_path="/usr/bin/python3", libc="glibc 2.36",
    os="Debian GNU/Linux 12 (bookworm)", kernel="6.6.31-v8+", hostname="pi", user="pi", boot_id="b1",
    root="/home/pi/.local/share/edgeq", root_free=3_300_000_000, root_writable=True, machine_id="m1",
)  # fmt: skip

CONDITIONS = Conditions(
    uptime_ns=10**12,
    temperature_mc={"cpu-thermal": 47_200},
    frequency_khz={"policy0": 1_800_000},
    governor={"policy0": "performance"},
    throttled=0,
    load1=0.1,
)


def entrant(id: str) -> Entrant:
    runtime, _, recipe = id.rpartition("-")
    return Entrant(
        id,
        runtime,
        f"apps/m/releases/d/candidates/{id}/model.onnx",
        "d" * 64,
        ("x",),
        ("y",),
        title=f"{runtime} {recipe}",
    )


def blocks(
    median_ms: float, rounds: int, per_block: int, seed: int, noise: float = 0.01
) -> tuple[Block, ...]:
    """Two blocks a round; the round's own level is shared by all entrants, as a real machine's is."""
    made = []
    for number in range(rounds):
        level = np.exp(np.random.default_rng(number).normal(0, 0.02))
        for half in range(2):
            rng = np.random.default_rng((seed, number, half))
            latency = (
                median_ms
                * 1e6
                * level
                * np.exp(rng.normal(0, noise) + np.abs(rng.normal(0, noise, per_block)))
            )
            ns = tuple(int(v) for v in latency)
            made.append(
                Block(number, half, int(3e6), int(2 * median_ms * 1e6), ns, cpu_ns=int(sum(ns) * 0.98))
            )
    return tuple(made)


def run(id: str, median_ms: float, rounds: int = 20, per_block: int = 10, noise: float = 0.01) -> Run:
    seed = sum(id.encode())
    return Run(
        id, "ok", runtime_version="1.20.1", file_bytes=900_000, load_ns=41_000_000, first_ns=int(3e6 * median_ms),
        blocks=blocks(median_ms, rounds, per_block, seed, noise),
        memory=MemoryUse(rss_start=14_000_000, rss_runtime=52_000_000, rss_loaded=58_000_000, rss_peak=61_000_000),
        energy=Energy(0.0017 * median_ms, "estimated", "CPU time x 1.1 W per core (rpi4)"),
    )  # fmt: skip


@pytest.fixture
def make_race() -> MakeRace:
    """make_race({"onnxruntime-float": 10.0, ...}, rounds=20): medians in ms; a Run in place of a number is taken as it is."""

    def make(
        medians: Mapping[str, float | Run], *, rounds: int = 20, noise: float = 0.01, twin: bool = True,
        facts: Facts = FACTS, not_quiet: tuple[str, ...] = (), id: str = "job1",
    ) -> Measurement:  # fmt: skip
        runs = [m if isinstance(m, Run) else run(i, m, rounds, noise=noise) for i, m in medians.items()]
        first = next(iter(medians))
        level = medians[first]
        if twin and not isinstance(level, Run):
            runs.append(run(f"{first}#twin", level, rounds, noise=noise))
        job = Job(id, "race", "resnet56", tuple(entrant(i) for i in medians), "samples/s")
        return Measurement(
            job, "done", "a" * 16, "2026-01-05T10:00:00+00:00", "2026-01-05T10:00:41+00:00", facts, CONDITIONS,
            CONDITIONS, tuple(runs), quiet=not not_quiet, not_quiet=not_quiet, stopped_by="precision",
        )  # fmt: skip

    return make
