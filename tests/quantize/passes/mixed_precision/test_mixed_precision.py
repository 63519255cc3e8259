"""Where the gate fails, the fewest layers that make it hold are left in float; else the worst layers are reported."""

import pytest

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.evaluate.layer_noise import Noise
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from edgeq.quantize.passes.mixed_precision import File, searched
from edgeq.quantize.passes.mixed_precision.minimize_float_set import MOST_TRIES, tries_for
from edgeq.quantize.run_model import no_progress
from tests.quantize.networks import Rows, images, residual, saved, two_scales

U8S8 = Scheme("uint8", "int8", True)
PLAN = CandidatePlan("onnxruntime-int8_static", "onnxruntime", "int8_static", "onnx", "a test", scheme=U8S8)
HELD_OUT = Rows(images(30, seed=9), sha256="h" * 64)


def test_a_detection_head_without_a_scale_of_its_own_is_left_in_float(tmp_path):
    net = saved(two_scales(), tmp_path)
    found = make(
        PLAN,
        net,
        Rows(images(20)),
        HELD_OUT,
        same_samples=False,
        gate=Gate(),
        workdir=tmp_path / "w",
        options=Options(calibrator="minmax", passes=("mixed",)),
    ).fidelity
    left = {s.what: s.reason for s in found.float_layers}
    assert found.passed
    assert "joined" in left
    assert not {"ca", "cb"} & set(left)
    assert "alone leaves" in left["joined"] and "dB at the output" in left["joined"]
    assert {a.operator: (a.integer >= 2, a.total) for a in found.fusion} == {"Conv": (True, 3)}


def test_a_gate_that_no_layer_satisfies_fails_with_the_worst_layers(tmp_path):
    net = saved(residual(), tmp_path)
    gate = Gate(min_agreement=100.1)
    found = make(
        PLAN, net, Rows(images(20)), HELD_OUT, same_samples=False, gate=gate, workdir=tmp_path / "w"
    ).fidelity
    assert not found.passed
    assert "limit 100.1 %" in found.why_failed
    assert 1 <= len(found.worst_layers) <= 5
    assert found.float_layers == ()


class Pretended:
    """A file of 40 layers, n00 the noisiest, whose gate holds with those in float that `holds` accepts; counts what is
    tried.
    """

    def __init__(self, holds, known=40):
        self.holds, self.known, self.tried, self.integer = holds, known, [], 1

    def write(self, in_float):
        self.written = in_float

    def layers(self):
        return tuple(f"n{i:02}" for i in range(40))

    def noise(self):
        return tuple(
            Noise(n, frozenset({n}), (1 / (i + 1),), "rounding") for i, n in enumerate(self.layers())
        )[: self.known]

    def judged(self, in_float, progress):
        self.write(in_float)
        self.tried.append(in_float)
        passed = self.holds(in_float)
        return Fidelity("c", 1, (), passed=passed, why_failed=None if passed else "too far")

    def searched(self, most_tries=MOST_TRIES):
        file = File(self.judged, self.layers(), lambda: self.integer > 0, self.write)
        return searched(file, self.noise, no_progress, most_tries)


def all_of(*numbers):
    needed = {f"n{i:02}" for i in numbers}
    return lambda in_float: needed <= in_float


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 11, 31, 32])
def test_the_worst_layers_are_found_with_a_bounded_number_of_tries(number):
    variant = Pretended(all_of(*range(number)))
    fidelity, left = variant.searched(most_tries=0)
    assert fidelity.passed
    assert len(left) == len(variant.written) == number
    assert len(variant.tried) <= 13


@pytest.mark.parametrize("needed", [(0,), (3,), (0, 5), (1, 7, 20), (31,), tuple(range(32))])
def test_layers_that_are_not_needed_return_to_int8(needed):
    variant = Pretended(all_of(*needed))
    fidelity, left = variant.searched()
    assert list(left) == sorted(variant.written) == [f"n{i:02}" for i in needed]
    assert (fidelity.search.first, fidelity.search.left) == (max(needed) + 1, len(needed))
    assert fidelity.search.tries == len(variant.tried) == len(set(variant.tried)) <= 13 + 64
    assert fidelity.search.stopped == ""
    assert all("in combination with the other int8 layers the gate fails" in why for why in left.values())
    assert left[variant.layers()[needed[-1]]].endswith(
        "in combination with the other int8 layers the gate fails: too far"
    )


def test_a_layer_without_noise_of_its_own_gets_the_gates_reason():
    variant = Pretended(all_of(0, 1))
    silent = Noise("n01", frozenset({"n01"}), (0.0,), "rounding")
    variant.noise = lambda: (Noise("n00", frozenset({"n00"}), (1e-3,), "rounding"), silent)
    _, left = variant.searched()
    assert left == {
        "n00": "rounding at n00 alone leaves 30.0 dB at the output; in combination with the other int8 layers the gate fails: too far",
        "n01": "rounding at n01: no measurable loss alone; in combination with the other int8 layers the gate fails: too far",
    }


@pytest.mark.parametrize("needed", [(35,), (0, 39), (2, 20, 36)])
@pytest.mark.parametrize("known", [0, 10, 40])
def test_a_layer_that_the_noise_ranks_last_or_does_not_know_is_found(needed, known):
    variant = Pretended(all_of(*needed), known)
    fidelity, left = variant.searched()
    assert fidelity.passed
    assert sorted(left) == [f"n{i:02}" for i in needed]
    assert fidelity.search.tries <= 13 + 40
    unknown = f"n{needed[-1]:02}"
    assert ("cost is unknown" in left[unknown]) == (known < 40)


def test_layers_that_only_help_together_and_others_that_harm():
    """Two errors that cancel: the gate fails with one of the two in float, so neither alone can return to int8."""

    def holds(in_float):
        return "n00" in in_float and ("n01" in in_float) == ("n02" in in_float) and "n04" not in in_float

    variant = Pretended(holds)
    fidelity, left = variant.searched()
    assert fidelity.passed
    assert set(left) == {"n00"}


def test_passes_repeat_until_every_layer_left_is_needed():
    """n03 can return to int8 only once n00 has."""

    def holds(in_float):
        return (
            "n02" in in_float
            and ("n03" in in_float or "n00" not in in_float)
            and ("n00" in in_float) <= ("n03" in in_float)
        )

    variant = Pretended(holds)
    left = variant.searched()[1]
    assert set(left) == {"n02"}


def test_a_search_without_tries_left_keeps_and_reports_what_passed():
    variant = Pretended(all_of(0, 31))
    fidelity, left = variant.searched(most_tries=3)
    assert fidelity.passed
    assert {"n00", "n31"} <= variant.written == set(left)
    assert 2 < fidelity.search.left < fidelity.search.first == 32
    assert fidelity.search.stopped == "its 3 tries were used up"
    assert "int8 was not tried for it" in left["n00"]


@pytest.mark.parametrize(
    ("macs", "samples", "tries"), [(0, 1, 64), (40e6, 800, 64), (4e9, 200, 25), (17e9, 1000, 16)]
)
def test_large_models_get_fewer_tries_and_the_same_number_everywhere(macs, samples, tries):
    assert tries_for(int(macs * samples)) == tries


def test_the_tries_are_bounded():
    lucky = Pretended(lambda in_float: len(in_float) > 20 and sum(int(n[1:]) for n in in_float) % 3 > 0)
    fidelity, left = lucky.searched()
    assert len(lucky.tried) <= 13 + 64
    assert not left or lucky.holds(lucky.written)
    assert fidelity.passed == bool(left)


@pytest.mark.parametrize("number", [33, 40])
def test_a_gate_that_needs_too_many_layers_fails(number):
    variant = Pretended(all_of(*range(number)))
    fidelity, left = variant.searched()
    assert (fidelity.passed, left, variant.written) == (False, {}, frozenset())
    assert len(fidelity.worst_layers) == 5
    assert fidelity.search.left == 0


def test_no_search_is_reported_where_no_layer_can_be_in_float():
    variant = Pretended(lambda in_float: False, known=0)
    variant.layers = tuple
    fidelity, left = variant.searched()
    assert (fidelity.passed, fidelity.search, left, len(variant.tried)) == (False, None, {}, 1)


def test_a_moved_tensor_is_no_further_worst_layer():
    variant = Pretended(all_of(*range(40)))
    shares = {"pool": (0.5,), "pool.transposed": (0.5000000001,), "pool.flat": (0.5,), "conv": (0.25,)}
    variant.noise = lambda: tuple(Noise(n, frozenset({n}), s, "rounding") for n, s in shares.items())
    assert [layer.layer for layer in variant.searched()[0].worst_layers] == ["pool", "conv"]


def test_a_set_that_leaves_no_integer_kernel_is_not_kept():
    variant = Pretended(all_of(0))
    variant.integer = 0
    fidelity, left = variant.searched()
    assert (fidelity.passed, left) == (False, {})
