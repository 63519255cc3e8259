"""A finished bundle is deployed as what it was made as: what can still be chosen is chosen, the rest is refused by name."""

from pathlib import Path
from typing import Any

import pytest

from edgeq.cli.main import run
from edgeq.demo import demo_files
from edgeq.errors import BundleRefused, ModelRefused
from edgeq.nouns.job import Limits
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.nouns.results import Deployment
from edgeq.workflow.convert import convert
from edgeq.workflow.deploy import deploy

ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


@pytest.fixture
def digits(own_home: Path, tmp_path: Path) -> str:
    model, data = (str(path) for path in demo_files())
    return str(convert(model, data=data, name="digits", output=tmp_path / "digits.edgeq").path)


def deployed(bundle: str, **options: Any) -> Deployment:
    folder = Path(bundle).parent
    return deploy(bundle, root=str(folder / "root"), store=str(folder / "s.db"), limits=ONE_ROUND, **options)


def test_what_was_decided_when_it_was_made_is_refused_by_name(digits: str) -> None:
    with pytest.raises(BundleRefused) as refused:
        deployed(digits, data="x.npz", calibrate=3, gates=Gates(max_drop=0.5, min_sqnr_db=12.0))
    assert str(refused.value) == (
        f"{digits} is a finished bundle: --data, --calibrate, --max-drop, --min-sqnr have no effect on it"
    )
    assert not (Path(digits).parent / "root").exists()


def test_a_finished_bundle_is_not_converted_again(digits: str) -> None:
    with pytest.raises(ModelRefused, match=r"digits\.edgeq is a finished bundle, not a model") as refused:
        convert(digits)
    assert str(refused.value.remedy) == "`edgeq deploy`, `explain` and `export` take it"


def test_another_of_its_candidates_goes_live_where_it_is_asked_for(digits: str) -> None:
    """On a busy device int8 may not be shown to be faster; float goes live at once where it is asked for."""
    before = deployed(digits, recipe="int8_static")
    assert before.app is not None
    assert before.app.candidate in ("onnxruntime-int8_static", "onnxruntime-float")
    assert not deployed(digits).changed

    after = deployed(digits, recipe="float")
    assert after.app is not None and after.app.candidate == "onnxruntime-float"
    assert after.changed == (before.app.candidate != "onnxruntime-float")


def test_a_project_file_beside_it_is_not_held_against_it(
    digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("edgeq.toml").write_text(
        'model = "net.onnx"\nname = "prod"\ndata = "x.npz"\n[gates]\nmax_drop = 2.0\n'
    )
    assert run(["deploy", digits, "--root", "root", "--dry-run"]) == 0


def test_more_threads_than_cores_are_remarked(digits: str) -> None:
    said: list[Any] = []
    deployed(digits, threads=64, dry_run=True, tell=said.append)
    (note,) = [n.text for n in said if isinstance(n, Note) and n.text.startswith("--threads")]
    assert note.startswith("--threads 64, and this machine has ")
