"""The Kotlin example compiles and prepares an image as edgeq does, in front of stand-ins for Android's and LiteRT's classes."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.example_code import LANGUAGES, Contract, NoExample, Place, read_contract
from edgeq.ingest.image import preprocess
from edgeq.nouns.tensor import Preprocessing
from tests.conftest import missing

STAND_INS = Path(__file__).with_name("android")
EVIL = 'x"; \\ $name ${exit()} */ \n é'


def contract(dtype: str, shape: list[int | None], preprocessing: Any = None, **more: Any) -> Contract:
    def end(name: str) -> list[dict[str, Any]]:
        return [{"name": name, "source_name": name, "dtype": dtype, "shape": shape, **more}]

    plain = {"app": "net", "candidate": "litert-float", "model": "model.tflite", "runtime": "litert"}
    plain |= {"threads": 2, "inputs": end(EVIL), "outputs": end("y"), "preprocessing": preprocessing}
    return read_contract(json.dumps(plain).encode())


def printed(folder: Path, terms: Contract, main: str) -> list[float]:
    """What `main`, a Kotlin expression of numbers, gives with the example beside it."""
    if not (shutil.which("kotlinc") and shutil.which("javac")):
        missing("there is no Kotlin compiler (Debian: apt-get install kotlin default-jdk-headless)")
    (folder / "Example.kt").write_text(LANGUAGES["kotlin"](terms, Place(terms.model)))
    text = f'{main}.joinToString(" ")'
    (folder / "Main.kt").write_text(
        "import android.content.Context\nimport android.graphics.Bitmap\n"
        f"fun main() {{ Example(Context()).use {{ model -> println({text}) }} }}\n"
    )
    classes = folder / "classes"
    run("javac", "-d", str(classes), *map(str, STAND_INS.rglob("*.java")))
    run(
        "kotlinc",
        "-cp",
        str(classes),
        "Example.kt",
        "Main.kt",
        "-include-runtime",
        "-d",
        "out.jar",
        at=folder,
    )
    said = run("java", "-cp", f"out.jar:{classes}", "MainKt", at=folder)
    return [float(word) for word in said.split()]


def run(*words: str, at: Path | None = None) -> str:
    done = subprocess.run(words, cwd=at, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(height: int, width: int) -> np.ndarray:
    """What the stand-in for Bitmap holds."""
    y, x = np.mgrid[:height, :width]
    return np.stack([37 * x + 11 * y, x * y, 255 * ((x + y) % 2)], axis=2).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "height", "width"),
    [
        # Five times as large: without antialiasing most pixels would not count.
        (Preprocessing((16, 24), scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)), 91, 123),
        # So tall that its rows are scaled first.
        (
            Preprocessing((4, 6), "short_side", 8, layout="NHWC", channels="BGR", mean=(1.0, 2.0, 3.0)),
            120,
            21,
        ),
        (Preprocessing((8, 8), "short_side", 12, channels="GRAY"), 30, 45),
        (Preprocessing((4, 6), "none", channels="GRAY", std=(2.0,)), 10, 11),
        (Preprocessing(None), 4, 6),
    ],
)
def test_an_image_is_prepared_to_the_bit_as_edgeq_does(
    rules: Preprocessing, height: int, width: int, tmp_path: Path
) -> None:
    """A hardware bitmap, as Android's image loaders give them."""
    expected = preprocess(pixels(height, width), rules, "image")
    terms = contract("float32", [1, *expected.shape], rules.to_dict())
    bitmap = f"Bitmap({width}, {height}, Bitmap.Config.HARDWARE)"
    values = printed(tmp_path, terms, f'model.run({bitmap}).getValue("y").toList()')
    np.testing.assert_array_equal(np.float32(values), expected.ravel())


@pytest.mark.slow
def test_names_of_classes_are_there_by_their_scores(tmp_path: Path) -> None:
    terms = contract("float32", [1, 2], classes=["1 cat", EVIL])
    assert "- y: shape 1x2, the scores of CLASSES" in LANGUAGES["kotlin"](terms, Place(terms.model))
    lengths = "Example.CLASSES.map { it.length.toDouble() }"
    assert printed(tmp_path, terms, lengths) == [5.0, float(len(EVIL))]


@pytest.mark.slow
def test_integers_that_stand_for_reals_are_made_and_read(tmp_path: Path) -> None:
    terms = contract("uint8", [1, 4], affine={"scale": 0.5, "zero_point": 100})
    reals = "model.run(floatArrayOf(0f, 1.26f, -1f, 1000f))"
    assert printed(tmp_path, terms, f'{reals}.getValue("y").toList()') == [0.0, 1.5, -1.0, 77.5]


def test_what_the_interpreter_does_not_take_is_said() -> None:
    with pytest.raises(NoExample, match="float16"):
        LANGUAGES["kotlin"](contract("float16", [1]), Place("model.tflite"))
    with pytest.raises(NoExample, match="open"):
        LANGUAGES["kotlin"](contract("float32", [None]), Place("model.tflite"))


def test_the_class_is_named_after_the_file() -> None:
    names = {
        "Example": "Example",
        "face-net_2.example": "FaceNet2Example",
        "2d.example": "Model2dExample",
        "é": "Example",
    }
    for file, name in names.items():
        text = LANGUAGES["kotlin"](contract("float32", [1]), Place("model.tflite", file))
        assert f"class {name}(context: Context)" in text and f"{name}(context).use" in text


def test_the_comments_give_the_shapes_and_what_is_done_to_an_image() -> None:
    rules = Preprocessing((48, 48), "short_side", 48)
    text = LANGUAGES["kotlin"](contract("float32", [1, 3, 48, 48], rules.to_dict()), Place("model.tflite"))
    assert (
        "Any image: resized here so that its short side is 48 pixels, then the middle 48x48 are taken."
        in text
    )
    assert "in row-major order:\n     * - y: shape 1x3x48x48\n" in text
    assert "ExifInterface" in text
    assert "ExifInterface" not in LANGUAGES["kotlin"](contract("float32", [1]), Place("model.tflite"))


def test_a_contract_with_another_number_of_classes_is_refused() -> None:
    with pytest.raises(NoExample, match="one name for each score"):
        contract("float32", [1, 3], classes=["cat", "dog"])
