"""What onnxruntime runs of ONNX's own operators and of 140 small networks, edgeq opens, converts and answers alike."""

from pathlib import Path

import pytest

from tests.corpus.cases import Case, complaints, unpack

_PARTS = 12  # so that it can be seen to go on; every third is quick enough for each `make test`


@pytest.fixture(scope="module")
def cases(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    found = unpack(data_dir, tmp_path_factory.mktemp("corpus"))
    assert len(found) == 1044
    return found


@pytest.mark.data
@pytest.mark.parametrize(
    "part", [pytest.param(k, marks=[pytest.mark.slow] if k % 3 else []) for k in range(_PARTS)]
)
def test_every_operator_converts_and_matches_or_is_refused_by_name(
    cases: tuple[Case, ...], part: int
) -> None:
    found = {case.name: list(complaints(case)) for case in cases[part::_PARTS]}
    assert {name: words for name, words in found.items() if words} == {}
