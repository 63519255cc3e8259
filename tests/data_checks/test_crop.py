"""A preset's short side with a size of the user's own cuts most of an image away, which is no error and hardly ever meant."""

from pathlib import Path

import numpy as np
import pytest

from edgeq.workflow.data import data as look_at


@pytest.fixture
def photos(tmp_path: Path) -> str:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for i in range(2):
        image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("preprocess", "resized", "warned"),
    [
        ("imagenet,size=16x16", "short side resized to 256, cropped to the centre 16x16", True),
        ("size=16x16,resize=short_side:18", "short side resized to 18, cropped to the centre 16x16", False),
        ("size=16x16", "stretched to 16x16", False),
        ("size=16x16,resize=none", "cropped to the centre 16x16 (height x width), not resized", False),
    ],
)
def test_a_small_crop_of_a_resized_image(photos: str, preprocess: str, resized: str, warned: bool) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(392, 3))
    seen = look_at(net, data=photos, preprocess=preprocess)
    found = [str(finding) for finding in seen.findings if finding.kind == "crop"]
    assert bool(found) == warned
    assert not warned or "resize=short_side:18, or resize=stretch" in found[0]
    assert resized in " ".join(str(seen).split())
