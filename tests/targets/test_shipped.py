"""Every shipped target file is valid, describes its board, and leads to the scheme that its CPU multiplies best."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.quantize.scheme import scheme_for

NAMES = catalog.target_names()


def test_the_promised_boards_are_there():
    promised = "rpi3 rpi4 rpi5 rpi-zero-2w rpi4-32bit x86-64 x86-64-vnni android-arm64 local"
    assert set(promised.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_lists_it(name):
    assert f"`{name}`" in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_file_is_valid_and_named_after_itself(name):
    assert catalog.target(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_energy_figures_say_where_they_come_from(name):
    energy = catalog.target(name).energy
    assert energy is None or len(energy.source) > 20


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("rpi3", "S8S8 per channel"),
        ("rpi4", "S8S8 per channel"),
        ("rpi5", "S8S8 per channel"),
        ("rpi-zero-2w", "S8S8 per channel"),
        ("x86-64", "U8S8 per channel, 16-bit headroom"),
        ("x86-64-vnni", "U8S8 per channel"),
    ],
)
def test_scheme_follows_from_the_flags(name, scheme):
    cpu = catalog.target(name).cpu
    assert str(scheme_for("onnxruntime", cpu.arch, cpu.isa)[0]) == scheme


def test_a_32_bit_system_runs_tflite_files_only():
    assert [r.name for r in catalog.target("rpi4-32bit").runtimes] == ["tflite-runtime"]
