"""The Kotlin example compiles and prepares an image as edgeq does, in front of stand-ins for Android's and LiteRT's classes."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.example_code import LANGUAGES, Contract, NoExample, Place, read_contract
from edgeq.ingest.image import apply
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


def pixels(height: int, width: int, left: int = 0, top: int = 0) -> np.ndarray:
    """What the stand-in for Bitmap holds."""
    y, x = np.mgrid[top : top + height, left : left + width]
    return np.stack([x, y, np.full_like(x, 200)], axis=2).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        (Preprocessing((4, 6), scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)), pixels(4, 6)),
        # The 10x10 are scaled to 8x8 first; the crop from their centre begins at (8 - 6) / 2 and (8 - 4) / 2.
        (
            Preprocessing((4, 6), "short_side", 8, layout="NHWC", channels="BGR", mean=(1.0, 2.0, 3.0)),
            pixels(4, 6, left=1, top=2),
        ),
        (Preprocessing((4, 6), "none", channels="GRAY", std=(2.0,)), pixels(4, 6, left=2, top=3)),
    ],
)
def test_an_image_is_prepared_as_edgeq_does(rules: Preprocessing, seen: np.ndarray, tmp_path: Path) -> None:
    expected = apply(seen, replace(rules, size=None), "image")
    terms = contract("float32", [1, *expected.shape], rules.to_dict())
    values = printed(tmp_path, terms, 'model.run(Bitmap(10, 10)).getValue("y").toList()')
    np.testing.assert_allclose(values, expected.ravel(), rtol=1e-5)


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
