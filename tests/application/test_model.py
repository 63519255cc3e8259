"""What an application gives to a model and gets from it: shapes, names, images, integers; and errors that say what is expected."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeq.application import load_lines
from edgeq.application.edgeq_runtime import LoadError
from edgeq.application.edgeq_runtime import load as load_anywhere
from edgeq.ingest.image import preprocess
from edgeq.ingest.preprocess import parse
from edgeq.nouns.tensor import Affine, TensorSpec
from tests.application.root import Root, Y, difference, imported, load, same, times

ONES = np.ones((1, 4), np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "root")


@pytest.fixture
def doubled(root: Root) -> Root:
    """y = 2 x is live."""
    root.release("a", times(2))
    root.switch("a")
    return root


@pytest.mark.parametrize(
    "given",
    [
        ONES,
        ONES[0],
        ONES.astype(np.float64),
        ONES.astype(np.float16),
        np.asfortranarray(ONES),
        [[1.0] * 4],
        [1.0] * 4,
        {"x": ONES},
        (ONES,),
    ],
)
def test_an_array_with_or_without_its_first_axis(doubled: Root, given: object) -> None:
    answer = load(doubled)(given)
    assert list(answer) == ["y"]
    assert answer["y"].dtype == np.float32
    assert answer["y"].tolist() == [[2.0] * 4]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.ones((1, 5), np.float32), "input x: expected 1x4 float32, got float32 of shape 1x5"),
        (np.ones((2, 4), np.float32), "input x: expected 1x4 float32, got float32 of shape 2x4"),
        (np.ones((1, 4), np.int64), "input x: expected 1x4 float32, got int64 of shape 1x4"),
        (np.array([["a"] * 4]), "input x: expected 1x4 float32, got <U1 of shape 1x4"),
        (None, "input x: expected 1x4 float32, got NoneType"),
        (
            "photo.jpg",
            "input x: expected 1x4 float32, got str; images are not prepared here: the model was converted without",
        ),
        ("x.npy", "input x: expected 1x4 float32, got str; give what numpy.load reads from x.npy"),
        (np.ones((8, 8, 3), np.uint8), "got uint8 of shape 8x8x3; images are not prepared here"),
        ([1.0, 1e300, 1.0, 1.0], "input x: values beyond the range of float32"),
        ([[1.0], [1.0, 1.0]], "inhomogeneous"),
        ({"z": ONES}, "expected inputs: x 1x4 float32; got z"),
        ((ONES, ONES), "expected inputs: x 1x4 float32; got float32 of shape 1x4, float32 of shape 1x4"),
        ((), "expected inputs: x 1x4 float32; got none"),
    ],
)
def test_what_does_not_fit_is_told_what_is_expected(doubled: Root, given: object, said: str) -> None:
    with pytest.raises(ValueError) as error:
        load(doubled)(given)
    assert said in str(error.value)


def test_nan_and_infinity_are_passed_on_to_a_model_of_reals(doubled: Root) -> None:
    given = [np.nan, np.inf, -np.inf, 1.0]
    expected = np.array([[np.nan, np.inf, -np.inf, 2.0]], np.float32)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(load(doubled)(np.array(given, dtype))["y"], expected, equal_nan=True)


@pytest.mark.parametrize("threads", [0, -1])
def test_fewer_threads_than_one_are_refused(doubled: Root, threads: int) -> None:
    with pytest.raises(ValueError, match=f"threads is {threads}: expected 1 or more, or None"):
        load(doubled, threads=threads)


def test_several_inputs(root: Root) -> None:
    a, b = TensorSpec("a", "float32", (1, 4)), TensorSpec("b", "int64", ())
    root.release("a", difference(), (a, b), (Y,))
    root.switch("a")
    model = load(root)
    for answer in (
        model(ONES, 1),
        model((ONES, 1)),
        model({"b": 1, "a": ONES}),
        model(b=1, a=ONES),
        model(ONES, b=1),
    ):
        assert answer["y"].tolist() == [[0.0] * 4]
    with pytest.raises(ValueError, match=r"expected inputs: a 1x4 float32; b scalar int64; got a, c"):
        model(a=ONES, c=1)
    with pytest.raises(ValueError, match=r"input b: expected scalar int64, got float64 of shape scalar"):
        model(ONES, np.float64(1.5))


def test_open_dimensions_take_any_size(root: Root) -> None:
    root.release("a", times(2, shape=("n", 4)), (TensorSpec("x", "float32", (None, 4)),))
    root.switch("a")
    model = load(root)
    assert model(np.ones((3, 4), np.float32))["y"].shape == (3, 4)
    assert model(ONES[0])["y"].shape == (1, 4)
    assert model.zeros()["x"].shape == (1, 4)


def test_integers_of_another_width_are_cast_where_they_fit(root: Root) -> None:
    root.release(
        "a", times(2, "int32"), (TensorSpec("x", "int32", (1, 4)),), (TensorSpec("y", "int32", (1, 4)),)
    )
    root.switch("a")
    model = load(root)
    assert model(np.full((1, 4), 7, np.int64))["y"].tolist() == [[14] * 4]
    with pytest.raises(ValueError, match="values beyond the range of int32"):
        model(np.full((1, 4), 1 << 40, np.int64))


def integers(root: Root) -> None:
    affine = Affine(0.5, -3)
    ends = (TensorSpec("x", "int8", (1, 4), affine),), (TensorSpec("y", "int8", (1, 4), affine),)
    root.release("a", same("int8", (1, 4)), *ends)
    root.switch("a")


def test_reals_become_the_integers_that_stand_for_them_and_back(root: Root) -> None:
    integers(root)
    given = np.array([[0.0, 0.74, -1.0, 1000.0]], np.float32)  # the last is beyond the range
    stored = [[-3, -2, -5, 127]]
    assert load(root)(given)["y"].tolist() == [[0.0, 0.5, -1.0, 65.0]]
    assert load(root)(np.array(stored, np.int8))["y"].tolist() == [[0.0, 0.5, -1.0, 65.0]]
    raw = load(root, raw=True)(given)["y"]
    assert (raw.dtype, raw.tolist()) == (np.int8, stored)
    with pytest.raises(ValueError, match="input x: no int8 stands for NaN"):
        load(root)([0.0, np.nan, 0.0, 0.0])
    assert load(root)([np.inf, -np.inf, 0.0, 0.0])["y"].tolist() == [[65.0, -62.5, 0.0, 0.0]]
    with pytest.raises(ValueError, match="expected 1x4 float32, or int8, got uint8 of shape 1x4"):
        load(root)(np.array([[1, 2, 3, 4]], np.uint8))


def test_an_image_is_prepared_as_the_contract_says(root: Root, tmp_path: Path) -> None:
    how = parse("imagenet,size=6x5,resize=stretch")
    ends = (TensorSpec("x", "float32", (1, 3, 6, 5)),), (TensorSpec("y", "float32", (1, 3, 6, 5)),)
    root.release("a", same("float32", (1, 3, 6, 5)), *ends, how)
    root.switch("a")
    model, pixels = load(root), np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    expected = preprocess(pixels, how, "")[np.newaxis]
    for given in (
        pixels,
        Image.fromarray(pixels),
        tmp_path / "photo.png",
        str(tmp_path / "photo.png"),
        expected,
    ):
        assert np.array_equal(model(given)["y"], expected)
    with pytest.raises(ValueError, match="expected 1x3x6x5 float32 or an image, got float64 of shape 9x13x3"):
        model(pixels / 255.0)
    with pytest.raises(ValueError, match=r"got str; give what numpy.load reads from photo.npy"):
        model("photo.npy")
    with pytest.raises(ValueError, match=r"nix.png: no such file"):
        model(tmp_path / "nix.png")


def test_outputs_have_the_names_and_shapes_of_the_source_model(root: Root) -> None:
    contract = root.release("a", times(2)) / "contract.json"
    known = json.loads(contract.read_text())
    known["outputs"][0] |= {
        "source_name": "probabilities",
        "shape": [4],
    }  # a converter renames, and may keep an axis of 1
    contract.write_text(json.dumps(known))
    root.switch("a")
    ((name, array),) = load(root)(ONES).items()
    assert (name, array.shape) == ("probabilities", (4,))


def test_what_it_is_in_a_line(doubled: Root) -> None:
    assert repr(load(doubled)) == "<net: onnxruntime-float, takes x 1x4 float32, gives y 1x4>"


def test_the_module_of_a_release_finds_every_app_beside_it(doubled: Root) -> None:
    doubled.release("a", times(5), app="other")
    doubled.switch("a", "other")
    module = imported(doubled.path / "apps/net/current/edgeq_runtime.py")
    assert module.load("net")(ONES)["y"].tolist() == [[2.0] * 4]
    assert module.load("other")(ONES)["y"].tolist() == [[5.0] * 4]
    with pytest.raises(module.LoadError, match=r"there is no app 'nope' in .*; apps: net, other"):
        module.load("nope")


def test_the_places_that_were_searched_are_listed_once(
    doubled: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the module is imported from a release below the home of its user."""
    home = doubled.path.parent / "home"
    place = home / ".local/share/edgeq"
    place.parent.mkdir(parents=True)
    doubled.path.rename(place)
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(Exception, match="there is no app 'nope'") as error:
        imported(place / "apps/net/current/edgeq_runtime.py").load("nope")
    assert str(error.value).count(str(place)) == 1


def test_a_folder_is_loaded_by_its_path(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root.release("a", times(3))
    monkeypatch.chdir(folder)
    for place in (folder, str(folder), f"{folder}/", "."):
        assert load_anywhere(place)(ONES)["y"].tolist() == [[3.0] * 4]
    with pytest.raises(LoadError, match=r"cannot read .*/nowhere/contract.json"):
        load_anywhere("./nowhere")


def test_a_runtime_that_is_not_there_says_for_which_python_it_would_be(root: Root) -> None:
    root.release("a", times(2), runtime="tflite-runtime")
    root.switch("a")
    with pytest.raises(
        LoadError, match=r"net needs tflite-runtime and numpy: No module named 'tflite_runtime' \(Python 3"
    ):
        load(root)


def test_it_runs_as_a_program(doubled: Root, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", ONES)
    module = imported(doubled.path / "apps/net/current/edgeq_runtime.py")
    module.main([str(tmp_path / "x.npy")])
    assert capsys.readouterr().out.splitlines()[1:] == ["y 1x4 float32:", "[[2. 2. 2. 2.]]"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["nix.npy"], "FileNotFoundError: [Errno 2] No such file or directory: 'nix.npy'"),
        (["text.npy"], "ValueError: text.npy is no whole .npy file of numbers"),
        (["empty.npy"], "ValueError: empty.npy is no whole .npy file of numbers"),
        (["photo.jpg"], "the model was converted without --preprocess"),
        (["x.npy", "x.npy"], "ValueError: expected inputs: x 1x4 float32; got float32 of shape 1x4, float32"),
    ],
)
def test_as_a_program_it_ends_mistakes_in_a_line(
    doubled: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", ONES)
    Path("text.npy").write_text("no array")
    Path("empty.npy").touch()
    with pytest.raises(SystemExit) as end:
        imported(doubled.path / "apps/net/current/edgeq_runtime.py").main(files)
    assert said in str(end.value.code)
    assert "\n" not in str(end.value.code)


def test_as_a_program_it_explains_itself(doubled: Root, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        imported(doubled.path / "apps/net/current/edgeq_runtime.py").main(["--help"])
    assert end.value.code == 0
    assert "an array (.npy), or an image" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("inputs", "images", "said"),
    [
        (1, False, "# in place of zeros: an array"),
        (1, True, "# in place of zeros: an image or an array"),
        (2, False, "# in place of zeros: an array per input"),
    ],
)
def test_the_lines_after_a_deploy_name_what_the_model_takes(inputs: int, images: bool, said: str) -> None:
    lines = load_lines("net", "/srv/edgeq/apps/net/current", inputs=inputs, images=images)
    assert lines[-1].endswith(said)


def test_the_wheels_beside_the_root_come_first(doubled: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    wheel = doubled.path / "wheels/tiny-1.0-12345678"
    wheel.mkdir(parents=True)
    current = doubled.path / "apps/net/current"
    (current / "python_path.json").write_text(json.dumps(["../../../../../../wheels/tiny-1.0-12345678"]))
    load(doubled)
    load(doubled)
    assert sys.path[0] == str(wheel) and sys.path.count(str(wheel)) == 1
