"""A wrong target file is refused with every problem at once, each with its key."""

import copy
import platform
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq import catalog
from edgeq.cpu_flags import DECISIVE, misspelled
from edgeq.errors import TargetRefused
from edgeq.quantize import scheme
from edgeq.target_rules import problems_of

GOOD = catalog.read_toml(catalog.shipped("targets") / "rpi4.toml")


def _set(raw, path, value):
    *folders, key = path.split(".")
    for folder in folders:
        raw = raw[int(folder)] if isinstance(raw, list) else raw[folder]
    raw[key] = value


# What to break, how, and the key that the message has to name.
MUTATIONS = {
    "a name with spaces": ("name", "my board", "name"),
    "memory as text": ("memory_mb", "1 GB", "memory_mb"),
    "no memory": ("memory_mb", 0, "memory_mb"),
    "a yes that is no integer": ("threads", True, "threads"),
    "more threads than cores": ("threads", 64, "threads"),
    "an unknown system": ("os", "windows", "os"),
    "a relative root": ("root", "edgeq", "root"),
    "no release kept": ("keep_releases", 0, "keep_releases"),
    "a misspelt key": ("memory_gb", 1, "memory_gb"),
    "an unknown architecture": ("cpu.arch", "riscv64", "cpu.arch"),
    "flags as one string": ("cpu.isa", "asimd", "cpu.isa"),
    "a flag that is a number": ("cpu.isa", [1], "cpu.isa[0]"),
    "an unknown runtime": ("runtimes.0.name", "tensorrt", "runtimes[0].name"),
    "a version that is none": ("runtimes.1.version", "latest", "runtimes[1].version"),
    "a Python that is none": ("runtimes.1.pythons", ["python3"], "runtimes[1].pythons"),
    "watts as text": ("energy.idle_watts", "2.7 W", "energy.idle_watts"),
    "memory in bytes": ("memory_mb", 4_000_000_000, "memory_mb"),
    "memory of a wristwatch": ("memory_mb", 1, "memory_mb"),
    "a frequency in kHz": ("cpu.max_frequency_mhz", 1_800_000, "cpu.max_frequency_mhz"),
    "power that flows back": ("energy.active_core_watts", -1, "energy.active_core_watts"),
    "no number of watts": ("energy.idle_watts", float("nan"), "energy.idle_watts"),
    "a version that no wheel has": ("runtimes.2.version", "<1.0", "runtimes[2].version"),
    "a flag with a blank": ("cpu.isa", ["fp", "NEON "], "cpu.isa[1]"),
    "a compiler's word for a flag": ("cpu.isa", ["fp", "asimd", "dotprod"], "cpu.isa[2]"),
    "a flag of which a letter is missing": ("cpu.isa", ["asimdp"], "cpu.isa[0]"),
    "no runtime at all": ("runtimes", [], "runtimes"),
}
SHIPPED = catalog.shipped_versions()


@pytest.mark.parametrize("what", MUTATIONS)
def test_each_mistake_is_named_by_its_key(what):
    path, value, key = MUTATIONS[what]
    raw = copy.deepcopy(GOOD)
    _set(raw, path, value)
    found = problems_of(raw, SHIPPED)
    assert [p for p in found if p.startswith(f"{key}:")], found


def test_a_misspelled_flag_is_answered_with_the_right_one():
    raw = copy.deepcopy(GOOD)
    raw["cpu"]["isa"] = ["fp", "NEON ", "dotprod", "asimdph"]
    assert problems_of(raw) == (
        "cpu.isa[1]: 'NEON ' is not spelled as in /proc/cpuinfo (lower case, no blanks); did you mean asimd?",
        "cpu.isa[2]: 'dotprod' is no flag of aarch64 in /proc/cpuinfo; did you mean asimddp?",
        "cpu.isa[3]: 'asimdph' is no flag of aarch64 in /proc/cpuinfo; did you mean asimdhp?",
    )


def test_what_a_kernel_of_tomorrow_adds_is_no_mistake():
    raw = copy.deepcopy(GOOD)
    raw["cpu"]["isa"] += ["sme7", "lse256"]
    assert problems_of(raw) == ()


def test_the_flags_of_this_machine_are_spelled_right():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, flags = line.partition(":")
        if key.strip() in ("flags", "Features"):
            assert [m for flag in flags.split() if (m := misspelled(flag, platform.machine()))] == []


def test_the_flags_that_decide_are_those_that_the_scheme_asks_for():
    asked = {*scheme.VNNI, *scheme.DOT, *scheme.HALF, "avx2"}
    assert asked <= {flag for flags in DECISIVE.values() for flag in flags}


def test_runtimes_without_any_python_could_not_be_brought():
    raw = copy.deepcopy(GOOD)
    for runtime in raw["runtimes"]:
        runtime["pythons"] = []
    (problem,) = problems_of(raw)
    assert problem.startswith("runtimes: pythons is empty for each of them")
    assert problems_of(raw | {"os": "android"}) == ()  # converted for, never deployed to


@given(st.sets(st.sampled_from([m for m in MUTATIONS if m != "no runtime at all"]), min_size=1))
def test_all_mistakes_are_reported_together(chosen):
    raw = copy.deepcopy(GOOD)
    paths = [MUTATIONS[m][0] for m in chosen]
    for what in chosen:
        path, value, _ = MUTATIONS[what]
        if paths.count(path) == 1:
            _set(raw, path, value)
    named = {p.split(":")[0] for p in problems_of(raw, SHIPPED)}
    assert {MUTATIONS[m][2] for m in chosen if paths.count(MUTATIONS[m][0]) == 1} <= named


@given(
    st.dictionaries(
        st.text(max_size=8), st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers())
    )
)
def test_nonsense_is_refused_and_never_crashes(raw):
    assert problems_of(raw)


def test_the_file_of_a_user_is_refused_whole(tmp_path):
    board = tmp_path / "board.toml"
    board.write_text('name = "My Board"\nmemory_mb = "lots"\n[cpu]\narch = "x86"\n')
    with pytest.raises(TargetRefused) as refused:
        catalog.target(str(board))
    assert len(refused.value.details) >= 6
    assert "docs/targets.md" in refused.value.remedy
