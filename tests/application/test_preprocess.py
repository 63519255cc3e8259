"""edgeq_runtime prepares an image to the bit as edgeq did for calibrating and judging, with Pillow on the device or without."""

from pathlib import Path

import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeq.application import edgeq_runtime
from edgeq.errors import DataRefused
from edgeq.ingest.image import preprocess, read_pixels
from edgeq.ingest.preprocess import parse
from edgeq.nouns.tensor import Preprocessing

# What Pillow 13 does first, rows or columns, an older one on this machine does in another order: one level of 255 apart.
ONE_LEVEL = 0.0 if int(PIL.__version__.split(".")[0]) >= 13 else 1.0

contracts = st.builds(
    Preprocessing,
    size=st.none() | st.tuples(st.integers(1, 70), st.integers(1, 70)),
    resize=st.sampled_from(["stretch", "none"]),
    layout=st.sampled_from(["NCHW", "NHWC"]),
    channels=st.sampled_from(["RGB", "BGR", "GRAY"]),
    scale=st.sampled_from([1.0, 1 / 255]),
)
shapes = st.tuples(st.integers(1, 90), st.integers(1, 90), st.sampled_from([None, 1, 3]))


@pytest.fixture(params=["with Pillow", "without"])
def pillow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(edgeq_runtime, "_pillow", lambda: None)


def same(pixels: np.ndarray, contract: Preprocessing) -> None:
    """Both give the same array, or both refuse."""
    try:
        expected = preprocess(pixels, contract, "it")
    except DataRefused:
        with pytest.raises(ValueError, match="smaller than the crop"):
            edgeq_runtime.preprocess(pixels, contract.to_dict())
        return
    found = edgeq_runtime.preprocess(pixels, contract.to_dict())
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, expected.shape, True)
    level = contract.scale / min(contract.std) * ONE_LEVEL
    assert np.abs(found - expected).max(initial=0) <= level * 1.001


def image(shape: tuple[int, int, int | None], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, [side for side in shape if side], np.uint8)


@given(shapes, contracts, st.integers(0, 9))
def test_any_size_layout_and_order_of_channels(
    shape: tuple[int, int, int | None], contract: Preprocessing, seed: int
) -> None:
    same(image(shape, seed), contract)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edgeq_runtime, "_pillow", lambda: None)
        same(image(shape, seed), contract)


@pytest.mark.usefixtures("pillow")
@pytest.mark.parametrize(
    "shape", [(480, 640, 3), (640, 480, 3), (1080, 1920, 3), (100, 90, None), (224, 224, 3)]
)
@pytest.mark.parametrize(
    "words",
    [
        "imagenet",
        "imagenet,channels=BGR,layout=NHWC",
        "size=96x128,resize=short_side:131,channels=GRAY",
        "size=60x50,resize=none",
    ],
)
def test_as_cameras_give_it(shape: tuple[int, int, int | None], words: str) -> None:
    same(image(shape), parse(words))


@pytest.mark.usefixtures("pillow")
@pytest.mark.parametrize("value", [0, 255])
def test_flat_pictures_stay_flat(value: int) -> None:
    same(np.full((91, 37, 3), value, np.uint8), Preprocessing(size=(40, 33)))


def files(folder: Path) -> dict[str, Path]:
    """One of each kind: turned by EXIF, with alpha, gray, a palette with transparency, and each format."""
    pixels = Image.fromarray(image((40, 30, 3)))
    turned = pixels.getexif()
    turned[0x0112] = 6
    alpha = Image.fromarray(image((40, 30, 3), 1)).convert("RGBA")
    alpha.putalpha(Image.fromarray(image((40, 30, None), 2)))
    palette = pixels.convert("P")
    palette.info["transparency"] = 3
    made = {
        "turned.jpg": (pixels, {"exif": turned}),
        "alpha.png": (alpha, {}),
        "gray.png": (pixels.convert("L"), {}),
        "palette.png": (palette, {}),
        "plain.bmp": (pixels, {}),
        "plain.webp": (pixels, {}),
    }
    for name, (picture, options) in made.items():
        picture.save(folder / name, **options)
    return {name: folder / name for name in made}


@pytest.mark.parametrize(
    "name", ["turned.jpg", "alpha.png", "gray.png", "palette.png", "plain.bmp", "plain.webp"]
)
@pytest.mark.parametrize("words", ["size=20x24", "size=20x24,channels=GRAY", "scale=1/255"])
def test_files_and_opened_files(name: str, words: str, tmp_path: Path) -> None:
    path, contract = files(tmp_path)[name], parse(words)
    expected = preprocess(read_pixels(path), contract, name)
    with Image.open(path) as opened:
        for given_as in (path, str(path), opened):
            assert np.array_equal(edgeq_runtime.preprocess(given_as, contract.to_dict()), expected)


def test_a_file_without_pillow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edgeq_runtime, "_pillow", lambda: None)
    (tmp_path / "photo.jpg").write_bytes(b"never read")
    with pytest.raises(ValueError, match="Pillow reads image files, and is not installed here"):
        edgeq_runtime.preprocess(tmp_path / "photo.jpg", Preprocessing().to_dict())
    with pytest.raises(ValueError, match=r"other.jpg: no such file"):
        edgeq_runtime.preprocess(tmp_path / "other.jpg", Preprocessing().to_dict())


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "cannot identify"), (b"GIF89a" + bytes(40), "cannot identify"), (None, "no such file")],
)
def test_what_is_no_image_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        edgeq_runtime.preprocess(path, Preprocessing().to_dict())
    with pytest.raises(ValueError, match="uint8 of shape HxWx3 or HxW; this is uint8 of shape 4x4x4"):
        edgeq_runtime.preprocess(np.zeros((4, 4, 4), np.uint8), Preprocessing().to_dict())
