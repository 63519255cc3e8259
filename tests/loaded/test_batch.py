"""Which arrays hold several samples, and how the outputs of several are put together."""

import numpy as np
import pytest

from edgeq.example_code.contract import Tensor
from edgeq.loaded.batch import samples_of, together

IMAGE = (1, 3, 8, 8)


def split(value: object, shape: tuple[int | None, ...], *, images: bool = False) -> list[object] | None:
    found = samples_of({"x": value}, [Tensor("x", "x", "float32", shape)], images=images)
    return None if found is None else [sample["x"] for sample in found]


@pytest.mark.parametrize(
    ("given", "expected", "samples"),
    [
        ((1, 3, 8, 8), IMAGE, None),
        ((3, 8, 8), IMAGE, None),
        ((5, 3, 8, 8), IMAGE, [(3, 8, 8)] * 5),
        ((5, 1, 3, 8, 8), IMAGE, [(1, 3, 8, 8)] * 5),
        ((5, 3, 8, 8), (None, 3, 8, 8), None),
        ((5, 3, 9, 8), IMAGE, None),
        ((16, 40), (16, 40), None),
        ((5, 16, 40), (16, 40), [(16, 40)] * 5),
        ((5, 7), (1, None), [(7,)] * 5),
        ((2,), (), [()] * 2),
    ],
)
def test_samples_in_front(
    given: tuple[int, ...], expected: tuple[int | None, ...], samples: list[tuple[int, ...]] | None
) -> None:
    found = split(np.zeros(given), expected)
    assert (found if found is None else [np.shape(x) for x in found]) == samples


def test_images_in_a_list_and_in_an_array() -> None:
    pixels = np.zeros((4, 20, 30, 3), np.uint8)
    assert [x.shape for x in split(pixels, IMAGE, images=True) or []] == [(20, 30, 3)] * 4  # type: ignore[attr-defined]
    assert split(["a.png", "b.png"], IMAGE, images=True) == ["a.png", "b.png"]
    assert split(pixels[0], IMAGE, images=True) is None
    assert split([[1.0, 2.0]], (1, 2), images=True) is None


def test_one_of_several_inputs_may_go_with_every_sample() -> None:
    inputs = [Tensor("x", "x", "float32", (1, 2)), Tensor("h", "h", "float32", (1, 4))]
    state = np.ones((1, 4))
    found = list(samples_of({"x": np.eye(2), "h": state}, inputs, images=False) or ())
    assert [sample["x"].tolist() for sample in found] == [[1, 0], [0, 1]]  # type: ignore[attr-defined]
    assert all(sample["h"] is state for sample in found)


def test_numbers_that_differ_and_an_empty_batch() -> None:
    inputs = [Tensor("x", "x", "float32", (1, 2)), Tensor("h", "h", "float32", (1, 4))]
    with pytest.raises(ValueError, match="different numbers of samples: x 3, h 2"):
        samples_of({"x": np.zeros((3, 2)), "h": np.zeros((2, 4))}, inputs, images=False)
    with pytest.raises(ValueError, match="no sample in the batch"):
        split(np.zeros((0, 3, 8, 8)), IMAGE)


def test_outputs_are_put_together() -> None:
    answers = [
        {"scores": np.full((1, 10), i), "map": np.full((2, 3), i), "boxes": np.zeros((i + 1, 4))}
        for i in range(3)
    ]
    found = together(answers)
    assert found["scores"].shape == (3, 10) and found["map"].shape == (3, 2, 3)  # type: ignore[union-attr]
    assert found["scores"][:, 0].tolist() == [0, 1, 2]  # type: ignore[call-overload]
    assert [boxes.shape for boxes in found["boxes"]] == [(1, 4), (2, 4), (3, 4)]
