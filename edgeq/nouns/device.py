"""A device: its facts, and its conditions at one moment, as the agent reads them."""

from dataclasses import dataclass, field
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Facts(Record):
    """Read by the agent with nothing but python3. Sizes in bytes.

    `machine` is the kernel's, `arch` the userland's (armv7l on a 64-bit kernel with a 32-bit userland). `isa` holds
    the flags of /proc/cpuinfo. `root` is where edgeq's files live, `root_free` what is free there. `emulated` is
    None on a real machine, else how it was recognised: timings are not representative.
    """

    board: str
    machine: str
    arch: str
    bits: int
    cpu_model: str
    cores: int
    isa: tuple[str, ...]
    max_frequency_khz: Optional[int]
    memory_total: int
    memory_available: int
    python: str
    python_path: str
    libc: str
    os: str
    kernel: str
    hostname: str
    user: str
    boot_id: str
    root: str
    root_free: int
    root_writable: bool
    emulated: Optional[str] = None
    systemd: Optional[str] = None  # version, where it runs as PID 1
    has_modules: dict[str, str] = field(default_factory=dict)  # numpy, psutil ... already importable
    machine_id: str = ""
    lacking: tuple[
        str, ...
    ] = ()  # shared libraries that every runtime's wheel needs and that do not load here


@dataclass(frozen=True)
class Conditions(Record):
    """The device's state at one moment. None: not available, with the reason in `absent`.

    Temperatures in millidegrees Celsius per zone, frequencies in kHz and governors per policy, `throttled` the bits
    of the firmware, `steal_ticks` and `total_ticks` from /proc/stat, `pressure` the avg10 of PSI "some" per resource.
    """

    uptime_ns: int
    temperature_mc: dict[str, int] = field(default_factory=dict)
    frequency_khz: dict[str, int] = field(default_factory=dict)
    governor: dict[str, str] = field(default_factory=dict)
    throttled: Optional[int] = None
    load1: Optional[float] = None
    steal_ticks: Optional[int] = None
    total_ticks: Optional[int] = None
    pressure: dict[str, float] = field(default_factory=dict)
    context_switches: Optional[int] = None
    memory_available: Optional[int] = None
    absent: dict[str, str] = field(default_factory=dict)
