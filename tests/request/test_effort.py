"""`--effort`, the same word in edgeq.toml and in Python: passes read it as `context.options.effort`."""

from pathlib import Path

import pytest

from edgeq import catalog
from edgeq.conversion.conversion_job import conversion_job
from edgeq.demo import demo_files
from edgeq.errors import TargetRefused
from edgeq.quantize.effort import EFFORTS
from edgeq.quantize.options import Options
from edgeq.request.option import parsed
from edgeq.request.project import read_project
from edgeq.request.requests import ConvertRequest
from edgeq.request.resolved import resolved
from edgeq.workflow.convert import convert


def request(**options: str) -> ConvertRequest:
    model, data = demo_files()
    return resolved(ConvertRequest(model, data=data, **options))


@pytest.mark.parametrize("effort", EFFORTS)
def test_a_pass_sees_what_was_asked_for(effort: str) -> None:
    assert parsed(request(effort=effort), Options, threads=1, cache=None).effort == effort


def test_default_is_meant_where_nothing_is_said() -> None:
    assert parsed(request(), Options, threads=1, cache=None).effort == "default" == Options().effort


def test_another_effort_is_converted_anew() -> None:
    target = catalog.target("rpi4")
    none, *named = (
        conversion_job(one, target, {}, {}).key
        for one in (request(), *(request(effort=effort) for effort in EFFORTS))
    )
    assert len(set(named)) == len(EFFORTS) and none == named[list(EFFORTS).index("default")]


def test_an_unknown_word_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match="effort: there is no 'fast'") as refused:
        convert("net.onnx", effort="fast")
    assert refused.value.remedy == "there are: quick, default, best"
    project = tmp_path / "edgeq.toml"
    project.write_text('effort = "fast"\n')
    with pytest.raises(TargetRefused) as refused:
        read_project(project)
    assert refused.value.details == ("effort: there is no 'fast'",)
