"""What was made before is told as that, at the beginning; and what the store or a device does not have is named."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from edgeq.demo import demo_files
from edgeq.errors import StoreRefused
from edgeq.nouns.job import Limits
from edgeq.nouns.progress import Note, Progress
from edgeq.nouns.results import Conversion
from edgeq.report.formats.text import show, show_result
from edgeq.workflow.convert import convert
from edgeq.workflow.deploy import deploy
from edgeq.workflow.report import report
from edgeq.workflow.uninstall import uninstall

ONE_ROUND = Limits(seconds=1.0, min_rounds=1, max_rounds=1, block_ms=1.0, warmup_runs=1)


def told(folder: Path) -> tuple[Conversion, list[str]]:
    """The conversion, and the lines that a person reads."""
    out = io.StringIO()
    console = Console(file=out, highlight=False, soft_wrap=True)
    model, data = (str(path) for path in demo_files())

    def tell(noun: object) -> None:
        if not isinstance(noun, Progress):
            show(noun, console, in_full=True)

    made = convert(model, data=data, name="digits", output=folder / "digits.edgeq", tell=tell)
    show_result(made, console, in_full=True)
    return made, out.getvalue().splitlines()


def test_nothing_was_converted_is_the_first_word_and_no_times_of_old_are_shown(tmp_path: Path) -> None:
    first, once = told(tmp_path)
    again, twice = told(tmp_path)

    assert (first.reused, again.reused) == (False, True)
    assert twice[0] == "note      unchanged input: the earlier conversion is reused"
    seconds = [line for line in once if line.startswith("convert") and line.endswith(" s")]
    assert seconds and not [line for line in twice if line.endswith(" s")]
    assert [f.seconds for f in again.fidelity] == [f.seconds for f in first.fidelity]


def test_the_size_of_a_bundle_is_that_of_its_file(tmp_path: Path) -> None:
    made, lines = told(tmp_path)
    assert made.path.stat().st_size > sum(a.size for a in made.bundle.manifest.artifacts)
    (line,) = [line for line in lines if line.startswith("bundle")]
    assert (
        f"{made.path}   {made.path.stat().st_size / 1e3:.0f} kB, " in line
        and "kB is sent to the device" in line
    )


def test_names_that_are_not_there_are_answered_with_those_that_are(own_home: Path, tmp_path: Path) -> None:
    made, _ = told(tmp_path)
    root, store, said = str(tmp_path / "root"), str(tmp_path / "s.db"), list[object]()
    deploy(str(made.path), root=root, store=store, limits=ONE_ROUND, tell=said.append)
    assert Note(f"{made.path} is a finished bundle: nothing was converted", detail=True) in said

    with pytest.raises(StoreRefused, match="no measurement is stored under the name nosuch") as refused:
        report(name="nosuch", store=store)
    assert refused.value.remedy == "there are some of: digits"
    assert len(report(name="digits", store=store).rows) == 1

    would = uninstall("digits", root=root, dry_run=True)
    assert would.removed == ("apps/digits",) and would.bytes < 500_000
    assert uninstall("digits", root=root).bytes == would.bytes
