"""Energy meters against what the kernel and the firmware of real devices show (tests/golden)."""

import shutil
from pathlib import Path

import pytest

from edgeq.agent.probes import energy_battery, energy_hwmon, energy_ina, energy_pi5_pmic, energy_rapl
from edgeq.agent.probes.energy import counted, find_meter, integrated

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    return shutil.copytree(GOLDEN / "laptop", tmp_path / "laptop")


def test_a_counter_that_wraps_goes_on():
    shown = iter([90, 95, 3, 10])
    joules = counted([lambda: next(shown)], [99], joules_per_unit=2.0)

    assert [joules(), joules(), joules()] == [10.0, 26.0, 40.0]  # 95 -> 99 -> 0 -> 3 are 8 units


def test_power_is_integrated_by_trapezoids():
    moments, watts = iter([0.0, 1.0, 3.0]), iter([2.0, 4.0, 4.0])
    joules = integrated(lambda: next(watts), clock=lambda: next(moments))

    assert [joules(), joules()] == [3.0, 11.0]


def test_rapl_counts_packages_only_and_survives_their_wrap(laptop):
    assert energy_rapl.absent(laptop) is None
    meter = energy_rapl.meter(laptop)
    (laptop / "sys/class/powercap/intel-rapl:0/energy_uj").write_text("671149")

    # 262,143,000,000 -> range 262,143,328,850 -> 0 -> 671,149: one joule.
    assert meter.joules() == pytest.approx(1.0, abs=1e-5)
    assert meter.source == "RAPL package-0: CPU packages with their idle power"


def test_rapl_that_only_root_may_read_says_so(laptop, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)

    assert energy_rapl.absent(laptop) == "energy_uj of powercap is readable by root alone"


def test_ina_monitors_add_up():
    """5 V x 0.8 A + 1 V x 1.5 A on the ina3221, 0.25 W on the ina226."""
    assert energy_ina._watts(energy_ina._monitors(GOLDEN / "sensor-board")) == pytest.approx(5.75)
    assert energy_ina.meter(GOLDEN / "sensor-board").source.startswith("ina226, ina3221 on the supply rails")


def test_other_chips_power_does_not_include_the_monitors():
    (power,) = energy_hwmon._powers(GOLDEN / "sensor-board")

    assert energy_hwmon._watts([power]) == pytest.approx(3.0)


def test_a_hwmon_chip_that_counts(tmp_path):
    board = shutil.copytree(GOLDEN / "energy-counter-board", tmp_path / "board")
    meter = energy_hwmon.meter(board)
    (board / "sys/class/hwmon/hwmon0/energy1_input").write_text("501000")
    (board / "sys/class/hwmon/hwmon0/energy2_input").write_text("502000")

    assert meter.joules() == pytest.approx(1.0)


def test_pi5_sums_the_rails_that_have_both_figures():
    text = (GOLDEN / "pi5/usr/bin/vcgencmd").read_text()
    rails = energy_pi5_pmic.rail_watts(text)

    assert len(rails) == 12
    assert "EXT5V" not in rails and "BATT" not in rails
    assert rails["VDD_CORE"] == pytest.approx(1.2 * 0.75)
    assert energy_pi5_pmic.absent(GOLDEN / "pi5") is None
    assert energy_pi5_pmic._watts(GOLDEN / "pi5") == pytest.approx(sum(rails.values()))


def test_pi4_has_no_current_sensor():
    meter, reasons = find_meter(GOLDEN / "pi4")

    assert meter is None
    assert reasons["pi5_pmic"] == "no vcgencmd that answers pmic_read_adc (Raspberry Pi 5)"
    assert set(reasons) == {"ina", "pi5_pmic", "rapl", "hwmon", "battery"}


def test_a_battery_counts_only_while_it_drains(laptop):
    assert energy_battery._watts(energy_battery._draining(laptop)) == pytest.approx(5.7)
    (laptop / "sys/class/power_supply/BAT0/status").write_text("Charging\n")

    assert "not being drained" in energy_battery.absent(laptop)


@pytest.mark.parametrize(
    ("device", "source"),
    [("sensor-board", "ina"), ("pi5", "Pi 5 PMIC"), ("laptop", "RAPL"), ("energy-counter-board", "hwmon")],
)
def test_what_sees_the_whole_device_comes_first(device, source):
    meter, _ = find_meter(GOLDEN / device)

    assert meter.source.startswith(source)
