from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeq.errors import DataRefused
from edgeq.ingest.image import preprocess
from edgeq.ingest.preprocess import _READERS, as_text, from_table, parse, presets
from edgeq.nouns.tensor import Preprocessing
from edgeq.request.conversion_options import PREPROCESS_HELP


def test_every_key_is_read():
    text = "size=96x128,resize=short_side:140,layout=NHWC,channels=BGR,scale=1/255,mean=0.4/0.5/0.6,std=0.25"
    assert parse(text) == Preprocessing(
        size=(96, 128),
        resize="short_side",
        short_side=140,
        layout="NHWC",
        channels="BGR",
        scale=1 / 255,
        mean=(0.4, 0.5, 0.6),
        std=(0.25,),
    )


def test_a_preset_can_be_refined():
    assert parse("imagenet,size=192x192").size == (192, 192)
    assert parse("imagenet,size=192x192").mean == (0.485, 0.456, 0.406)
    assert parse("none") == Preprocessing()


@pytest.mark.parametrize("name", presets())
def test_every_shipped_preset_is_valid(name):
    assert isinstance(parse(name), Preprocessing)


def test_a_table_of_a_project_file_says_the_same():
    table = {"size": [96, 128], "scale": "1/255", "mean": 0.5, "std": [0.1, 0.2, 0.3], "channels": "bgr"}
    assert from_table(table) == parse("size=96x128,scale=1/255,mean=0.5,std=0.1/0.2/0.3,channels=BGR")


def test_all_problems_come_at_once():
    with pytest.raises(DataRefused) as refused:
        parse("size=big,resize=crop,layout=CHW,scale=1/0,mean=1/2,std=0,colour=RGB,oops")
    assert len(refused.value.details) == 8
    text = "\n".join(refused.value.details)
    for expected in (
        "HEIGHTxWIDTH",
        "short_side:PIXELS",
        "NCHW or NHWC",
        "scale=1/0",
        "1 or 3",
        "zero",
        "'colour'",
        "oops",
    ):
        assert expected in text


def test_a_mistyped_preset_or_key_is_answered_with_the_nearest():
    with pytest.raises(DataRefused) as refused:
        parse("imagnet,sizes=224")
    assert refused.value.details == (
        "there is no preset 'imagnet', did you mean imagenet; presets: none, unit, symmetric, imagenet, caffe",
        "unknown key 'sizes', did you mean size; keys: preset, size, resize, layout, channels, scale, mean, std",
    )


def test_a_preset_that_does_not_go_first_is_told_where_to_go():
    with pytest.raises(DataRefused) as refused:
        parse("size=32x32,imagenet")
    assert refused.value.details == (
        "'imagenet' is a preset, which goes first and alone: imagenet,size=32x32",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scale=1/0", "scale=1/0: a division by zero"),
        ("scale=1/0.0", "scale=1/0.0: a division by zero"),
        ("channels=GRAY,mean=1/2/3", "mean has 3 values, expected one: channels=GRAY has one channel"),
    ],
)
def test_what_is_wrong_with_a_number_is_said(text, problem):
    with pytest.raises(DataRefused) as refused:
        parse(text)
    assert refused.value.details == (problem,)


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("imagenet", "imagenet"),
        ("none", "none"),
        ("caffe,layout=NHWC", "caffe,layout=NHWC"),
        ("scale=1/255", "unit"),
        ("size=32,scale=1/255", "unit,size=32x32"),
        ("imagenet,size=32x32,resize=stretch", "imagenet,size=32x32,resize=stretch"),
        ("scale=-1/255,mean=-1,channels=GRAY", "channels=GRAY,scale=-1/255,mean=-1"),
        ("size=8x9,resize=none,mean=0.25/0.5/0.75", "size=8x9,resize=none,mean=0.25/0.5/0.75"),
    ],
)
def test_a_preprocessing_is_written_as_it_may_be_given(said, short):
    assert as_text(parse(said)) == short
    assert parse(short) == parse(said)


def test_help_and_documentation_name_every_preset_and_key():
    docs = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    for name in presets():
        assert name in PREPROCESS_HELP
        assert f"| `{name}` |" in docs
    for key in _READERS:
        assert f"`{key}`" in docs


def test_short_side_then_centre_crop_then_channels_then_scale():
    """A 4x8 image, red left half, blue right half; its middle 4x4 is half red, half blue."""
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :4, 0] = 255
    pixels[:, 4:, 2] = 255
    contract = parse("size=4x4,resize=short_side:4,channels=BGR,scale=1/255,mean=0.5,std=0.5")
    blue, green, red = preprocess(pixels, contract, "image")
    assert (red[:, :2] == 1).all() and (red[:, 2:] == -1).all()
    assert (blue[:, :2] == -1).all() and (blue[:, 2:] == 1).all()
    assert (green == -1).all()


def test_gray_and_layout_and_stretch():
    pixels = np.full((6, 4, 3), 100, np.uint8)
    assert preprocess(pixels, parse("size=3x2,channels=GRAY"), "image").shape == (1, 3, 2)
    assert preprocess(pixels, parse("size=3x2,layout=NHWC"), "image").shape == (3, 2, 3)
    assert (preprocess(pixels, parse("size=9x9"), "image") == 100).all()


def test_imagenet_is_what_torchvision_documents():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((341, 256), Image.Resampling.BILINEAR).crop((58, 16, 282, 240))
    expected = (np.asarray(image) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    got = preprocess(pixels, parse("imagenet"), "image")
    np.testing.assert_allclose(got, expected.transpose(2, 0, 1), rtol=1e-5, atol=1e-6)


def test_a_crop_larger_than_the_image_and_arrays_that_are_no_images_are_refused():
    with pytest.raises(DataRefused, match="smaller than the crop") as refused:
        preprocess(np.zeros((4, 4, 3), np.uint8), parse("size=8x8,resize=none"), "a.png")
    assert "resize=stretch" in refused.value.remedy
    with pytest.raises(DataRefused, match="preprocessing is for images"):
        preprocess(np.zeros((4, 4, 3), np.float32), parse("none"), "x.npz")
