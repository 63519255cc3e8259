"""Student's t against the printed tables."""

import pytest

from edgeq.nouns.student_t import student_t_975


@pytest.mark.parametrize(("freedom", "table"), [(3, 3.182), (4, 2.776), (7, 2.365), (19, 2.093), (59, 2.001)])
def test_students_t_is_that_of_the_tables(freedom: int, table: float) -> None:
    assert student_t_975(freedom) == pytest.approx(table, rel=0.01)
