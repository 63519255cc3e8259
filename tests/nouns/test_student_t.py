"""Student's t against the printed tables."""

import pytest

from edgeq.nouns.student_t import student_t


@pytest.mark.parametrize(
    ("outside", "freedom", "table"),
    [
        (0.05, 1, 12.706),
        (0.05, 2, 4.303),
        (0.05, 3, 3.182),
        (0.05, 4, 2.776),
        (0.05, 7, 2.365),
        (0.05, 19, 2.093),
        (0.05, 60, 2.000),
        (0.01, 3, 5.841),
        (0.001, 10, 4.587),
        (0.001, 120, 3.373),
    ],
)
def test_students_t_is_that_of_the_tables(outside: float, freedom: int, table: float) -> None:
    assert student_t(outside, freedom) == pytest.approx(table, abs=0.0006)
