"""A candidate that was made before is judged again: the same as if it were made again, in every case."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.made import Made
from edgeq.quantize.make import make
from edgeq.quantize.options import Options
from tests.quantize.networks import STATIC, Rows, images, residual, saved
from tests.quantize.passes.mixed_precision.test_few_float_layers import depthwise

LOOSE, LOOSER, CLOSER = (Gate(min_sqnr_db=db) for db in (5.0, 4.0, 6.0))
IMPOSSIBLE = Gate(min_sqnr_db=90.0)


@pytest.fixture
def network(tmp_path: Path) -> Model:
    return saved(residual(), tmp_path)


def made(
    model: Model,
    folder: Path,
    gate: Gate,
    cache: Path | None,
    shape: tuple[int, ...] = (3, 16, 16),
    seed: int = 0,
    plan: CandidatePlan = STATIC,
    **options: object,
) -> tuple[Made, list[str]]:
    """The candidate, and the stages that making it went through."""
    stages: dict[str, None] = {}
    one = make(
        replace(plan, reason=f"for {folder.name}"),
        model,
        Rows(images(40, seed=seed, shape=shape), sha256=f"{seed}" * 64),
        Rows(images(30, seed=99, shape=shape), sha256="9" * 64),
        same_samples=False,
        gate=gate,
        workdir=folder,
        progress=lambda stage, share: stages.setdefault(stage),
        options=Options(cache=cache, **options),  # type: ignore[arg-type]
    )
    return one, list(stages)


def found(stages: Sequence[str]) -> bool:
    return "calibrate" not in stages and "fit weights and biases" not in stages


def comparable(one: Made) -> tuple[object, ...]:
    """All but the clock and the place."""

    def timeless(fidelity: Fidelity) -> Fidelity:
        return replace(fidelity, seconds=0.0, costs=(), next_effort=None)

    others = tuple(comparable(other) for other in one.all_of_it[1:])
    rest = replace(one, path=Path(), fidelity=timeless(one.fidelity), few_float=None, all_int8=None)
    return rest, one.path.read_bytes(), others


def test_another_gate_judges_the_same_file_again(network: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert not found(made(network, tmp_path / "a", LOOSE, cache)[1])
    again, stages = made(network, tmp_path / "b", CLOSER, cache)
    assert found(stages)
    assert "6 dB" in again.fidelity.gate
    assert (again.fidelity.seconds, again.fidelity.costs, again.fidelity.next_effort) == (0.0, (), None)
    assert comparable(again) == comparable(made(network, tmp_path / "b", CLOSER, None)[0])


def test_a_gate_that_fails_has_it_made_and_searched(network: Model, tmp_path: Path) -> None:
    cache, tries = tmp_path / "cache", {"search_tries": 4}
    made(network, tmp_path / "a", LOOSE, cache, **tries)
    again, stages = made(network, tmp_path / "b", IMPOSSIBLE, cache, **tries)
    assert not found(stages)
    assert not again.fidelity.passed
    assert comparable(again) == comparable(made(network, tmp_path / "b", IMPOSSIBLE, None, **tries)[0])


def test_what_failed_is_not_kept(network: Model, tmp_path: Path) -> None:
    """The layers that a search left in float belong to its gate."""
    cache, tries = tmp_path / "cache", {"search_tries": 4}
    made(network, tmp_path / "a", IMPOSSIBLE, cache, **tries)
    again, stages = made(network, tmp_path / "b", LOOSE, cache, **tries)
    assert not found(stages)
    assert comparable(again) == comparable(made(network, tmp_path / "b", LOOSE, None, **tries)[0])


def test_one_with_a_few_layers_in_float_comes_along(tmp_path: Path) -> None:
    model, cache, shape = saved(depthwise(), tmp_path), tmp_path / "cache", (3, 12, 12)
    first, _ = made(model, tmp_path / "a", LOOSE, cache, shape)
    assert first.few_float is not None
    again, stages = made(model, tmp_path / "b", CLOSER, cache, shape)
    assert found(stages)
    assert again.few_float is not None
    assert again.few_float.path != again.path
    assert comparable(again) == comparable(made(model, tmp_path / "b", CLOSER, None, shape)[0])


def test_one_with_all_in_int8_comes_along(tmp_path: Path) -> None:
    """Two threads: the race is to decide. The plan's scheme leaves the first convolution in float."""
    model, cache, shape = saved(depthwise(), tmp_path), tmp_path / "cache", (3, 12, 12)
    thin = replace(STATIC.scheme or Scheme("uint8", "int8", True), thin_in_float=True)
    plan = replace(STATIC, scheme=thin)
    first, _ = made(model, tmp_path / "a", LOOSE, cache, shape, plan=plan, threads=2)
    assert first.all_int8 is not None
    again, stages = made(model, tmp_path / "b", LOOSER, cache, shape, plan=plan, threads=2)
    assert found(stages)
    assert again.all_int8 is not None and again.all_int8.path != again.path
    assert comparable(again) == comparable(
        made(model, tmp_path / "b", LOOSER, None, shape, plan=plan, threads=2)[0]
    )


@pytest.mark.parametrize(
    "other", [{"calibrator": "mse"}, {"passes": frozenset()}, {"seed": 1}, {"threads": 2}], ids=str
)
def test_other_options_and_samples_make_another(
    network: Model, tmp_path: Path, other: dict[str, object]
) -> None:
    cache = tmp_path / "cache"
    made(network, tmp_path / "a", LOOSE, cache)
    entries = len(list((cache / "candidates").glob("*.npz")))
    made(network, tmp_path / "b", LOOSE, cache, **other)  # type: ignore[arg-type]
    assert len(list((cache / "candidates").glob("*.npz"))) == entries + 1


def test_a_damaged_entry_is_made_again(network: Model, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first, _ = made(network, tmp_path / "a", LOOSE, cache)
    (entry,) = (cache / "candidates").glob("*.npz")
    entry.write_bytes(entry.read_bytes()[:-100])
    again, _ = made(network, tmp_path / "a", LOOSE, cache)
    assert comparable(again) == comparable(first)
    assert found(made(network, tmp_path / "a", LOOSE, cache)[1])
