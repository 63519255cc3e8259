"""A wrong target file is refused with every problem at once, each with its key."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeq import catalog
from edgeq.errors import TargetRefused
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
    "no runtime at all": ("runtimes", [], "runtimes"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_each_mistake_is_named_by_its_key(what):
    path, value, key = MUTATIONS[what]
    raw = copy.deepcopy(GOOD)
    _set(raw, path, value)
    assert [p for p in problems_of(raw) if p.startswith(f"{key}:")], problems_of(raw)


@given(st.sets(st.sampled_from([m for m in MUTATIONS if m != "no runtime at all"]), min_size=1))
def test_all_mistakes_are_reported_together(chosen):
    raw = copy.deepcopy(GOOD)
    paths = [MUTATIONS[m][0] for m in chosen]
    for what in chosen:
        path, value, _ = MUTATIONS[what]
        if paths.count(path) == 1:
            _set(raw, path, value)
    named = {p.split(":")[0] for p in problems_of(raw)}
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
