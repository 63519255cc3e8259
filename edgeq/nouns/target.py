"""A kind of device, as `targets/*.toml` describes it: facts with their units in the key, no code, no host names."""

from dataclasses import dataclass, field
from typing import Optional

from .record import Record

# The runtimes that edgeq knows -> the format of graph that each loads.
FORMATS = {"litert": "tflite", "onnxruntime": "onnx", "tflite-runtime": "tflite"}


@dataclass(frozen=True)
class Cpu(Record):
    """`arch` is the userland's: aarch64, armv7l or x86_64. `isa` uses the words of /proc/cpuinfo. `qemu` is QEMU's name
    of a CPU that computes the same, for `edgeq verify --emulate`.
    """

    arch: str
    model: str
    cores: int
    isa: tuple[str, ...]
    max_frequency_mhz: Optional[int] = None
    qemu: Optional[str] = None


@dataclass(frozen=True)
class RuntimeSupport(Record):
    """A runtime that this kind of device can have, one of FORMATS.

    `version` is a requirement such as ">=1.16"; `pythons` the device Pythons that have wheels, "3.11" style.
    """

    name: str
    version: str
    pythons: tuple[str, ...]


@dataclass(frozen=True)
class EnergyModel(Record):
    """Power drawn by one busy core above idle, for the proxy energy = CPU seconds * active_core_watts."""

    active_core_watts: float
    idle_watts: float
    source: str


@dataclass(frozen=True)
class Target(Record):
    name: str
    title: str
    cpu: Cpu
    memory_mb: int
    runtimes: tuple[RuntimeSupport, ...]
    threads: int
    energy: Optional[EnergyModel] = None
    os: str = "linux"
    root: Optional[str] = (
        None  # where edgeq keeps its files there; None: the agent's own rule (docs/protocol.md)
    )
    keep_releases: int = 3
    detect: bool = False  # `local`: cpu, memory and runtimes are read from the machine itself
    notes: tuple[str, ...] = field(default=())

    def supports(self, runtime: str) -> bool:
        return any(r.name == runtime for r in self.runtimes)
