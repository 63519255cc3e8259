"""What /proc/cpuinfo says on an ARM core that QEMU emulates.

Runtimes choose their kernels by this file and not by what the CPU can do: with the host's own text onnxruntime dies as it
is imported, and with a flag too many LiteRT runs into an instruction that the core lacks. QEMU 8 and later write the
file themselves; 7.2 hands out the host's.
"""

from edgeq.errors import TargetRefused

# MIDR_EL1 of QEMU's CPU models, as its target/arm/cpu64.c and tcg/cpu32.c set them: Arm's implementer code, variant, part
# and revision (Arm ARM, "MIDR_EL1").
_MIDR = {
    "cortex-a15": 0x412FC0F1,
    "cortex-a53": 0x410FD034,
    "cortex-a57": 0x411FD070,
    "cortex-a72": 0x410FD083,
    "cortex-a76": 0x414FD0B1,
    "neoverse-n1": 0x414FD0C1,
}


def cpuinfo(cpu: str, features: tuple[str, ...], cores: int, *, bits: int = 64) -> str:
    """The file for `cores` of QEMU's `cpu` with these flags. Raises TargetRefused for a core that is not known."""
    if cpu not in _MIDR:
        raise TargetRefused(
            f"cpu.qemu: what {cpu!r} says of itself is not known to edgeq",
            f"cores that are: {', '.join(_MIDR)}; the nearest with the same flags computes the same",
        )
    midr = _MIDR[cpu]
    lines = {
        "BogoMIPS": "108.00",
        "Features": " ".join(features),
        "CPU implementer": f"0x{midr >> 24:02x}",
        "CPU architecture": "8" if bits == 64 else "7",
        "CPU variant": f"0x{midr >> 20 & 0xF:x}",
        "CPU part": f"0x{midr >> 4 & 0xFFF:03x}",
        "CPU revision": str(midr & 0xF),
    }
    core = "".join(f"{key:<16}: {value}\n" for key, value in lines.items())
    return "".join(f"{'processor':<16}: {i}\n{core}\n" for i in range(cores))
