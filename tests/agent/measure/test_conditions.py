"""Conditions read from what real devices say of themselves (tests/golden)."""

from pathlib import Path

from edgeq.agent.conditions import read_conditions
from edgeq.nouns.device import Conditions

GOLDEN = Path(__file__).parents[2] / "golden"


def test_pi4_at_rest():
    seen = read_conditions(GOLDEN / "pi4")

    assert seen.temperature_mc == {"cpu-thermal": 47712}
    assert seen.frequency_khz == {f"cpu{i}": 600_000 for i in range(4)}
    assert seen.governor["cpu0"] == "ondemand"
    assert seen.throttled == 0  # by the kernel's under-voltage alarm: there is no vcgencmd
    assert seen.load1 == 0.08
    assert (seen.steal_ticks, seen.total_ticks) == (0, 5210 + 2100 + 812345 + 310 + 95)
    assert seen.context_switches == 1234567
    assert seen.absent == {"pressure": "no /proc/pressure (kernel without PSI, or booted with psi=0)"}


def test_pi5_throttles():
    assert read_conditions(GOLDEN / "pi5").throttled == 0x50005


def test_the_firmwares_own_file_is_hexadecimal():
    assert read_conditions(GOLDEN / "pi4-32bit").throttled == 0x20000


def test_a_virtual_machine_has_pressure_and_steal_but_no_clock_to_read():
    seen = read_conditions(GOLDEN / "vm-kvm")

    assert seen.pressure == {"cpu": 2.93, "memory": 0.0, "io": 1.1}
    assert seen.steal_ticks == 800
    assert seen.absent["frequency_khz"] == "the kernel scales no frequency (no cpufreq)"
    assert seen.absent["throttled"].startswith("no Raspberry Pi firmware")


def test_nothing_to_read_is_absent_with_its_reason(tmp_path):
    seen = read_conditions(tmp_path)

    assert {"temperature_mc", "pressure", "steal_ticks", "total_ticks", "throttled"} <= set(seen.absent)
    assert all(seen.absent.values())


def test_this_machine_survives_json():
    seen = read_conditions()

    assert Conditions.from_dict(seen.to_dict()) == seen
    assert seen.uptime_ns > 0
