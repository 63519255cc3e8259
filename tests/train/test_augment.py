"""Flips and shifts of images: what is drawn moves whole images, and the edge fills what comes in."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeq.errors import DataRefused  # noqa: E402
from edgeq.train.augment import Augmentation, layout_of  # noqa: E402

IMAGES = torch.arange(5 * 3 * 6 * 4, dtype=torch.float32).reshape(5, 3, 6, 4)


def changed(augmentation: Augmentation, *inputs: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, ...]:
    return augmentation(inputs or (IMAGES,), np.random.default_rng(seed))


def test_nothing_is_changed_unless_asked_for() -> None:
    (same,) = changed(Augmentation())
    assert same is IMAGES and not Augmentation().changes


def test_a_flip_mirrors_some_images_and_leaves_others() -> None:
    (flipped,) = changed(Augmentation(flip=True))
    mirrored = [bool(torch.equal(new, old.flip(2))) for new, old in zip(flipped, IMAGES, strict=True)]
    kept = [bool(torch.equal(new, old)) for new, old in zip(flipped, IMAGES, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert any(mirrored) and any(kept)


def test_a_shift_repeats_the_pixel_at_the_edge() -> None:
    (moved,) = changed(Augmentation(crop=2))
    for new, old in zip(moved, IMAGES, strict=True):
        padded = torch.nn.functional.pad(old[None], (2, 2, 2, 2), mode="replicate")[0]
        crops = [padded[:, y : y + 6, x : x + 4] for y in range(5) for x in range(5)]
        assert any(torch.equal(new, crop) for crop in crops)
    assert not torch.equal(moved, IMAGES)


def test_both_layouts_are_moved_alike() -> None:
    both = Augmentation(flip=True, crop=2)
    (planes,) = changed(both)
    (pixels,) = changed(both, IMAGES.permute(0, 2, 3, 1))
    assert torch.equal(planes.permute(0, 2, 3, 1), pixels)


def test_the_images_of_one_sample_are_moved_alike_and_the_rest_stays() -> None:
    vectors = torch.arange(5)
    first, second, rest = changed(Augmentation(flip=True, crop=1), IMAGES, 2 * IMAGES, vectors)
    assert torch.equal(second, 2 * first) and rest is vectors


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((8, 3, 32, 32), "NCHW"), ((8, 32, 32, 3), "NHWC"), ((8, 1, 28, 28), "NCHW"), ((8, 64, 8, 8), "NCHW")],
)
def test_the_layout_is_read_from_the_shape(shape: tuple[int, ...], layout: str) -> None:
    assert layout_of(shape) == layout


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(DataRefused, match="flip and crop are for images.*8x40"):
        changed(Augmentation(flip=True), torch.zeros(8, 40))
    with pytest.raises(ValueError, match="crop is -1"):
        Augmentation(crop=-1)
