import numpy as np
import pytest

from edgeq.ingest.labels import class_numbers, words


@pytest.mark.parametrize(
    ("truth", "numbers", "said"),
    [
        ([3, 0, 9], [3, 0, 9], "class numbers 0 to 9"),
        ([3, 3], [3, 3], "class 3 only"),
        ([3.0, 1.0], [3, 1], "class numbers 1 to 3"),
        ([[3], [1]], [3, 1], "class numbers 1 to 3"),
        ([[0, 0, 1], [1, 0, 0]], [2, 0], "one-hot over 3 classes"),
        ([[0.0, 1.0], [1.0, 0.0]], [1, 0], "one-hot over 2 classes"),
        ([[0, 1, 1], [1, 0, 0]], None, "int64, 3 per sample"),
        ([0.5, 3.0], None, "float64, one number per sample"),
        ([[[1.0, 2.0]]], None, "float64, 1x2 per sample"),
    ],
)
def test_labels_are_class_numbers_where_they_can_be(truth, numbers, said):
    found = class_numbers(np.array(truth))
    assert (None if found is None else found.tolist()) == numbers
    assert words(np.array(truth)) == said


def test_without_labels_nothing_is_said():
    assert (class_numbers(None), words(None)) == (None, "")
