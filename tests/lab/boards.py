"""What a Raspberry Pi shows of itself in /sys and /proc, as plain files that a test may rewrite while the device runs.

Written in place, never renamed: the device sees these very files through bind mounts.
"""

from dataclasses import dataclass
from pathlib import Path

_CORES = 4
_MIN_KHZ, _MAX_KHZ = 600_000, 1_800_000
_MEMORY_KB = {
    "MemTotal": 3_885_396,
    "MemFree": 3_201_248,
    "MemAvailable": 3_480_112,
    "Buffers": 34_360,
    "Cached": 402_880,
    "SwapCached": 0,
    "Active": 210_548,
    "Inactive": 345_100,
    "Shmem": 12_204,
    "Slab": 54_020,
    "SReclaimable": 24_900,
    "SUnreclaim": 29_120,
    "SwapTotal": 102_396,
    "SwapFree": 102_396,
}


@dataclass(frozen=True)
class Board:
    """`features` must not promise what the emulated CPU lacks: runtimes choose their code by them and would die."""

    model: str
    compatible: str
    architecture: int
    variant: str
    part: str
    revision: int
    features: str


PI4 = Board(
    "Raspberry Pi 4 Model B Rev 1.4",
    "raspberrypi,4-model-b",
    architecture=8,
    variant="0x0",
    part="0xd08",
    revision=3,
    features="fp asimd evtstrm crc32 cpuid",
)
PI4_32BIT = Board(
    "Raspberry Pi 4 Model B Rev 1.4",
    "raspberrypi,4-model-b",
    architecture=7,
    variant="0x0",
    part="0xd08",
    revision=3,
    features="half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm",
)


def lay(board: Board, folder: Path) -> None:
    """Write `folder`/sys, /cpuinfo and /meminfo."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpuinfo").write_text(_cpuinfo(board))
    (folder / "meminfo").write_text(
        "".join(f"{name + ':':<16}{kb:>8} kB\n" for name, kb in _MEMORY_KB.items())
    )
    sys = folder / "sys"
    for name, text in {**_sensors(), **_processors(), **_device_tree(board)}.items():
        (sys / name).parent.mkdir(parents=True, exist_ok=True)
        (sys / name).write_text(text)
    for i in range(_CORES):
        (sys / f"devices/system/cpu/cpu{i}/cpufreq").symlink_to("../cpufreq/policy0")
    for empty in ("fs/cgroup", "class/net", "class/power_supply", "class/powercap"):
        (sys / empty).mkdir(parents=True, exist_ok=True)


def _cpuinfo(board: Board) -> str:
    core = (
        "processor\t: {i}\nBogoMIPS\t: 108.00\n"
        f"Features\t: {board.features}\nCPU implementer\t: 0x41\nCPU architecture: {board.architecture}\n"
        f"CPU variant\t: {board.variant}\nCPU part\t: {board.part}\nCPU revision\t: {board.revision}\n\n"
    )
    cores = "".join(core.replace("{i}", str(i)) for i in range(_CORES))
    return f"{cores}Revision\t: c03114\nSerial\t\t: 10000000deadbeef\nModel\t\t: {board.model}\n"


def _sensors() -> dict[str, str]:
    return {
        "class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "class/thermal/thermal_zone0/temp": "47712\n",
        "class/hwmon/hwmon0/name": "cpu_thermal\n",
        "class/hwmon/hwmon0/temp1_input": "47712\n",
        "class/hwmon/hwmon1/name": "rpi_volt\n",
        "class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
        "devices/platform/soc/soc:firmware/get_throttled": "0\n",
    }


def _processors() -> dict[str, str]:
    cpu = "devices/system/cpu"
    files = {f"{cpu}/{name}": f"0-{_CORES - 1}\n" for name in ("possible", "present", "online")}
    policy = {
        "related_cpus": " ".join(map(str, range(_CORES))),
        "affected_cpus": " ".join(map(str, range(_CORES))),
        "scaling_driver": "cpufreq-dt",
        "scaling_governor": "ondemand",
        "scaling_available_governors": "conservative ondemand userspace powersave performance schedutil",
        "cpuinfo_min_freq": str(_MIN_KHZ),
        "cpuinfo_max_freq": str(_MAX_KHZ),
        "cpuinfo_cur_freq": str(_MAX_KHZ),
        "scaling_min_freq": str(_MIN_KHZ),
        "scaling_max_freq": str(_MAX_KHZ),
        "scaling_cur_freq": str(_MAX_KHZ),
    }
    files |= {f"{cpu}/cpufreq/policy0/{name}": value + "\n" for name, value in policy.items()}
    for i in range(_CORES):
        files[f"{cpu}/cpu{i}/topology/core_id"] = f"{i}\n"
        files[f"{cpu}/cpu{i}/topology/physical_package_id"] = "0\n"
        files[f"{cpu}/cpu{i}/topology/core_siblings_list"] = f"0-{_CORES - 1}\n"
    return files


def _device_tree(board: Board) -> dict[str, str]:
    """Device tree strings end with a NUL, several stand one after the other."""
    base = "firmware/devicetree/base"
    return {
        f"{base}/model": f"{board.model}\0",
        f"{base}/compatible": f"{board.compatible}\0brcm,bcm2711\0",
        f"{base}/serial-number": "10000000deadbeef\0",
    }
