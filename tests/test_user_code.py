"""Code of the user's that fails: the refusal says where in it, not where in ours."""

import re
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.user_code import load_attribute, place_of

SCORE = """
import numpy as np

def score(outputs, labels):
    return np.concatenate([outputs[0], labels])
"""


def test_the_line_that_called_what_failed_is_named(tmp_path: Path) -> None:
    (tmp_path / "metric.py").write_text(SCORE)
    score = load_attribute(f"{tmp_path}/metric.py:score", DataRefused)
    try:
        score([np.zeros((2, 3))], np.zeros(2))
    except ValueError as error:
        assert place_of(error) == (
            f"{tmp_path}/metric.py:5 in score: return np.concatenate([outputs[0], labels])",
        )


def test_so_is_a_line_that_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("import numpy\nwidth = 1 // 0\n")
    with pytest.raises(DataRefused, match="ZeroDivisionError") as refused:
        load_attribute(f"{tmp_path}/data.py:samples", DataRefused)
    assert refused.value.details == (f"{tmp_path}/data.py:2 in <module>: width = 1 // 0",)


def test_a_file_that_is_no_python_has_no_line_of_its_own_to_name(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def samples(:\n")
    with pytest.raises(DataRefused, match=re.escape("data.py, line 1")) as refused:
        load_attribute(f"{tmp_path}/data.py:samples", DataRefused)
    assert refused.value.details == ()
