"""Compares a device with what the target file lists and what a release needs, before anything is sent.

Decides only; asks the device nothing and sends nothing.
"""

from edgeq.catalog import deployable_names
from edgeq.errors import DeviceUnfit, NoSpace, ReadOnly
from edgeq.nouns.device import Facts
from edgeq.nouns.target import Target

# What the agent, results and a second release need beside the release itself.
_SPARE_DISK = 16_000_000
# A runtime's own resident size before any model is loaded, measured 40 to 70 MB; and what the system should keep.
_RUNTIME_MEMORY = 80_000_000


def require_target(facts: Facts, target: Target, label: str) -> tuple[str, ...]:
    """Notes on differences that do no harm. Raises DeviceUnfit when the device is not what the target says it is."""
    if target.detect:
        return ()
    if facts.arch != target.cpu.arch:
        raise DeviceUnfit(
            f"{label} {_userland(facts)}; target {target.name} is {target.cpu.arch}",
            _better_target(facts),
        )
    notes = []
    lacking = missing_isa(facts, target)
    if lacking:
        notes.append(
            f"{label} lacks {', '.join(lacking)} that target {target.name} lists: "
            "the quantization scheme depends on these"
        )
    if facts.memory_total < target.memory_mb * 1_000_000 * 0.7:
        notes.append(
            f"{label} has {facts.memory_total / 1e6:.0f} MB of memory, target {target.name} says {target.memory_mb}"
        )
    return tuple(notes)


def missing_isa(facts: Facts, target: Target) -> tuple[str, ...]:
    """Flags of the target that this device does not have; empty when the device shows no flags at all."""
    if not facts.isa:
        return ()
    return tuple(flag for flag in target.cpu.isa if flag not in facts.isa)


def too_many_threads(facts: Facts, label: str, threads: int | None) -> tuple[str, ...]:
    """A note where more threads were asked for than the device has cores: each inference then waits for the slowest."""
    if threads is None or threads <= facts.cores:
        return ()
    return (
        f"--threads {threads}, and {label} has {facts.cores} cores: more threads than cores slow each other down",
    )


def require_writable(facts: Facts, label: str) -> None:
    if not facts.root_writable:
        raise ReadOnly(
            f"{label} does not let {facts.user} write {facts.root}",
            "give --root (or root in edgeq.toml) a folder that the login may write. Nothing was sent.",
        )


def require_libraries(facts: Facts, label: str) -> None:
    """The C++ library that every runtime's wheel is linked with; no wheel contains it, and python3 does not need it."""
    if facts.lacking:
        raise DeviceUnfit(
            f"{label} lacks {', '.join(facts.lacking)}, which every runtime needs",
            "run `sudo apt-get install libstdc++6` there (elsewhere than on Debian: the C++ runtime of its GCC). "
            "Nothing was sent.",
        )


def require_room(facts: Facts, label: str, *, to_send: int, wheels: int, live: str | None) -> None:
    """`to_send` bytes of the release and `wheels` bytes of runtime (unpacked) have to fit beside what is there."""
    need = to_send + wheels + _SPARE_DISK
    if facts.root_free < need:
        raise NoSpace(
            f"{label} has {facts.root_free / 1e6:.0f} MB free on {facts.root}; this release needs {need / 1e6:.0f} MB"
            + (f" ({wheels / 1e6:.0f} MB of it runtime)" if wheels else ""),
            "free space there, or point --root (root in edgeq.toml) at another disk. Nothing was sent.",
            live=live,
        )


def require_memory(facts: Facts, label: str, *, predicted_peak: int, live: str | None) -> None:
    """`predicted_peak` is the smallest of the candidates', above its loaded runtime (edgeq/graphs/memory.py)."""
    reason = lacks_memory(facts, predicted_peak)
    if reason:
        raise NoSpace(
            f"{label} has {facts.memory_available / 1e6:.0f} MB of memory available; running this model {reason}",
            "stop other programs there, or take a smaller model. Nothing was sent.",
            live=live,
        )


def lacks_memory(facts: Facts, predicted_peak: int) -> str | None:
    """What a candidate needs, in words, where that is more than the device has available."""
    need = predicted_peak + _RUNTIME_MEMORY
    if not facts.memory_available or facts.memory_available >= need:
        return None
    return (
        f"needs about {need / 1e6:.0f} MB ({predicted_peak / 1e6:.0f} MB of it the model), "
        f"{facts.memory_available / 1e6:.0f} MB are available"
    )


def _userland(facts: Facts) -> str:
    if facts.bits == 32 and facts.machine in ("aarch64", "x86_64"):
        return f"has a 32-bit userland ({facts.arch}) on a 64-bit kernel"
    return f"is {facts.arch}"


def _better_target(facts: Facts) -> str:
    names = deployable_names(facts.arch)
    fitting = f"--target {' or '.join(names)}" if names else "a target file of your own (docs/targets.md)"
    if facts.bits == 32:
        fitting += ", or install a 64-bit system"
    return f"deploy with {fitting}. Nothing was sent."
