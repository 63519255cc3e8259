"""The rules of a target file: every problem at once, each with its key and the allowed values."""

import math
import re
from collections.abc import Mapping
from typing import Any

from edgeq.cpu_flags import misspelled
from edgeq.nouns.target import FORMATS

Table = dict[str, Any]  # of TOML, before it is checked

ARCHITECTURES = ("aarch64", "armv7l", "x86_64")
RUNTIMES = tuple(FORMATS)
SYSTEMS = ("linux", "android")

_REQUIRED: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "title": str,
    "cpu": dict,
    "memory_mb": int,
    "runtimes": list,
    "threads": int,
}
_OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "energy": dict,
    "os": str,
    "root": str,
    "keep_releases": int,
    "detect": bool,
    "notes": list,
}
_CPU_REQUIRED: dict[str, type | tuple[type, ...]] = {"arch": str, "model": str, "cores": int, "isa": list}
_CPU_OPTIONAL: dict[str, type | tuple[type, ...]] = {"max_frequency_mhz": int, "qemu": str}
_RUNTIME: dict[str, type | tuple[type, ...]] = {"name": str, "version": str, "pythons": list}
_ENERGY: dict[str, type | tuple[type, ...]] = {
    "active_core_watts": (int, float),
    "idle_watts": (int, float),
    "source": str,
}


# Beyond these a figure is in another unit, or of no machine that runs a model.
_MEMORY_MB = (64, 4_000_000)
_CORES = (1, 1024)
_FREQUENCY_MHZ = (10, 20_000)
_WATTS = (0, 1000)


def problems_of(raw: Table, shipped_versions: Mapping[str, tuple[str, ...]] = {}) -> tuple[str, ...]:
    """One line per problem, in the order of the file's sections; empty when the target can be used. `shipped_versions` are
    the versions of each runtime that deploy/wheels pins.
    """
    found = list(_keys("", raw, _REQUIRED, _OPTIONAL))
    found += _one_of("os", raw.get("os", "linux"), SYSTEMS)
    found += _between("memory_mb", raw.get("memory_mb"), _MEMORY_MB)
    found += _at_least("threads", raw.get("threads"), 1)
    found += _at_least("keep_releases", raw.get("keep_releases"), 1)
    if isinstance(raw.get("name"), str) and not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", raw["name"]):
        found.append(f"name: {raw['name']!r} must be lower-case letters, digits, '.', '_' and '-'")
    if isinstance(raw.get("root"), str) and not raw["root"].startswith(("/", "~/")):
        found.append(f"root: {raw['root']!r} must be absolute or start with ~/")
    if isinstance(raw.get("cpu"), dict):
        found += _cpu(raw["cpu"], raw)
    if isinstance(raw.get("energy"), dict):
        found += _keys("energy.", raw["energy"], _ENERGY, {})
        for key in ("active_core_watts", "idle_watts"):
            found += _between(f"energy.{key}", raw["energy"].get(key), _WATTS)
    if isinstance(raw.get("runtimes"), list):
        found += _runtimes(raw["runtimes"], shipped_versions)
        found += _no_python_at_all(raw)
    return tuple(found)


def _cpu(cpu: Table, raw: Table) -> list[str]:
    found = list(_keys("cpu.", cpu, _CPU_REQUIRED, _CPU_OPTIONAL))
    found += _one_of("cpu.arch", cpu.get("arch"), ARCHITECTURES)
    found += _between("cpu.cores", cpu.get("cores"), _CORES)
    found += _between("cpu.max_frequency_mhz", cpu.get("max_frequency_mhz"), _FREQUENCY_MHZ)
    for i, flag in enumerate(cpu["isa"] if isinstance(cpu.get("isa"), list) else []):
        wrong = (
            misspelled(flag, str(cpu.get("arch"))) if isinstance(flag, str) else f"{flag!r} is not a string"
        )
        found += [f"cpu.isa[{i}]: {wrong}"] if wrong else []
    cores, threads = cpu.get("cores"), raw.get("threads")
    if isinstance(cores, int) and isinstance(threads, int) and threads > cores > 0:
        found.append(f"threads: {threads} is more than cpu.cores = {cores}")
    return found


def _runtimes(entries: list[object], shipped_versions: Mapping[str, tuple[str, ...]]) -> list[str]:
    found = []
    if not entries:
        found.append(f"runtimes: empty; name at least one of {', '.join(RUNTIMES)}")
    for i, entry in enumerate(entries):
        where = f"runtimes[{i}]"
        if not isinstance(entry, dict):
            found.append(f"{where}: expected a table with name, version and pythons, got {entry!r}")
            continue
        found += _keys(f"{where}.", entry, _RUNTIME, {})
        found += _one_of(f"{where}.name", entry.get("name"), RUNTIMES)
        found += [
            f"{where}.pythons: {python!r} is not a Python version such as '3.11'"
            for python in (entry["pythons"] if isinstance(entry.get("pythons"), list) else [])
            if not (isinstance(python, str) and re.fullmatch(r"3\.\d+", python))
        ]
        if isinstance(entry.get("version"), str):
            found += _version(
                f"{where}.version", entry["version"], shipped_versions.get(str(entry.get("name")), ())
            )
    return found


def _version(key: str, wanted: str, shipped_versions: tuple[str, ...]) -> list[str]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(wanted)
    except InvalidSpecifier:
        return [f"{key}: {wanted!r} is not a requirement such as '>=1.20,<2'"]
    if shipped_versions and not any(version in allowed for version in shipped_versions):
        return [
            f"{key}: {wanted!r} allows none of the versions that edgeq ships: {', '.join(shipped_versions)}"
        ]
    return []


def _no_python_at_all(raw: Table) -> list[str]:
    """Android has no wheels at all: such a target is converted for, not deployed to."""
    entries = [entry for entry in raw["runtimes"] if isinstance(entry, dict)]
    if (
        raw.get("os", "linux") != "linux"
        or not entries
        or any(entry.get("pythons") != [] for entry in entries)
    ):
        return []
    return [
        "runtimes: pythons is empty for each of them, so none can be installed on a device; name its Python, ['3.11']"
    ]


def _keys(
    prefix: str,
    raw: Table,
    required: dict[str, type | tuple[type, ...]],
    optional: dict[str, type | tuple[type, ...]],
) -> list[str]:
    allowed = {**required, **optional}
    found = [f"{prefix}{key}: missing" for key in required if key not in raw]
    for key, value in raw.items():
        if key not in allowed:
            found.append(f"{prefix}{key}: unknown key; known: {', '.join(allowed)}")
            continue
        kind = allowed[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(_TYPE_NAMES[k] for k in kinds)
            found.append(f"{prefix}{key}: expected {names}, got {value!r}")
    return found


_TYPE_NAMES = {
    str: "a string",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "a table",
    bool: "true or false",
}


def _one_of(key: str, value: object, allowed: tuple[str, ...]) -> list[str]:
    if not isinstance(value, str) or value in allowed:
        return []  # a missing or mistyped key is reported by _keys
    return [f"{key}: {value!r} is not one of {', '.join(allowed)}"]


def _between(key: str, value: object, ends: tuple[float, float]) -> list[str]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return []
    if math.isfinite(value) and ends[0] <= value <= ends[1]:
        return []
    return [f"{key}: {value} is not between {ends[0]:,} and {ends[1]:,}"]


def _at_least(key: str, value: object, least: int) -> list[str]:
    if not isinstance(value, int) or isinstance(value, bool) or value >= least:
        return []
    return [f"{key}: {value} is less than {least}"]
