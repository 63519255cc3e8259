"""What is said of samples of the demo's digits, 8x8 pixels from 0 to 16, when they are stored in a wrong way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgeq.demo
from edgeq.data_checks.run import Checked, check
from edgeq.errors import DataRefused
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.open_model import look_at_model
from edgeq.ingest.request import Request
from edgeq.ingest.samples import open_samples
from edgeq.workflow.data import data as look_at

DEMO = Path(edgeq.demo.__file__).parent


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    with np.load(DEMO / "digits.npz") as stored:
        return stored["image"].astype(np.float32), stored["labels"].astype(np.int64)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FloatModel:
    found: list[FloatModel] = []
    work = tmp_path_factory.mktemp("model")
    look_at_model(Request(str(DEMO / "digits_cnn.onnx"), work, "digits", look=found.append))
    return found[0]


def checked(folder: Path, model: FloatModel, image: np.ndarray, labels: np.ndarray | None = None) -> Checked:
    arrays = {"image": image} | ({} if labels is None else {"labels": labels})
    np.savez(folder / "d.npz", **arrays)
    return check(open_samples(str(folder / "d.npz"), inputs=model.inputs), model)


def kinds(found: Checked) -> dict[str, bool]:
    """Whether it is certain, by kind."""
    return {finding.kind: finding.certain for finding in found.findings}


@pytest.mark.parametrize("part", [slice(0, 800), slice(0, 100), slice(300, 320), slice(5, 800, 9)])
@pytest.mark.parametrize("labelled", [True, False])
def test_sound_samples_are_not_warned_about(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray], part: slice, labelled: bool
) -> None:
    image, labels = digits
    assert kinds(checked(tmp_path, model, image[part], labels[part] if labelled else None)) == {}


FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], dict[str, bool], set[str]]] = {
    "scaled to 0..1": (lambda x: x / 16, {"preprocessing": True, "one_answer": False}, {"one_answer"}),
    "255 times too small": (
        lambda x: x / 255,
        {"preprocessing": True, "scale": False, "one_answer": False},
        {"scale", "one_answer"},
    ),
    "255 times too large": (lambda x: x * 255, {"scale": False}, {"scale"}),
    "black and white exchanged": (lambda x: 16 - x, {"preprocessing": True}, set()),
    "rows and columns exchanged": (lambda x: x.transpose(0, 1, 3, 2), {"preprocessing": True}, {"order"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_images_that_were_prepared_otherwise(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray], fault: str
) -> None:
    (image, labels), (spoil, with_labels, without) = digits, FAULTS[fault]
    wrong = np.ascontiguousarray(spoil(image), np.float32)
    assert kinds(checked(tmp_path, model, wrong, labels)) == with_labels
    assert kinds(checked(tmp_path, model, wrong)).keys() == without


def test_the_preparation_that_fits_is_named(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    best = checked(tmp_path, model, image.transpose(0, 1, 3, 2), labels).findings[0]
    assert best.text == (
        "float is right on 10 of 64 samples as they are, and on 64 of them with rows and columns exchanged"
    )


def test_of_several_preparations_that_are_better_a_usual_one_is_advised(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """Standardised by their own mean the samples would be right nearly as often."""
    image, labels = digits
    best = checked(tmp_path, model, image / 255, labels).findings[0]
    assert best.text.endswith(" of them with pixels of 0 to 255")
    assert best.remedy == "prepare them as pixels of 0 to 255"


def test_a_preparation_with_which_float_only_guesses_is_not_advised(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """Digits cut in two and far too small are all answered alike, here never rightly; larger, 12 of 80 are right."""
    image, labels = digits
    halves = np.roll(image, 3, axis=3) / np.float32(255)
    answer = int(model.answers([(halves[:1],)])[0][0].argmax())
    kept = labels != answer
    found = kinds(checked(tmp_path, model, halves[kept], labels[kept]))
    assert found == {"guessing": True, "scale": False, "one_answer": False}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_one_value_of_all_that_is_not_finite_is_refused(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray], wrong: float
) -> None:
    image = digits[0].copy()
    image[777, 0, 3, 3] = wrong
    with pytest.raises(DataRefused, match="sample 777: image holds NaN or infinite values"):
        checked(tmp_path, model, image)


def test_labels_counted_from_one_are_impossible(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    (found,) = checked(tmp_path, model, image, labels + 1).findings
    assert (found.kind, found.certain) == ("labels_impossible", True)
    assert found.remedy == "take 1 from every label: float is right then on 64 of 64 samples"


def test_labels_one_off_within_the_model_s_classes(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    few = labels < 9
    (found,) = checked(tmp_path, model, image[few], labels[few] + 1).findings
    assert (found.kind, found.certain) == ("labels_shifted", True)
    assert "with 1 taken from every label" in found.text


def test_classes_in_another_order(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    order = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    (found,) = checked(tmp_path, model, image, order[labels]).findings
    assert (found.kind, found.certain) == ("labels_renumbered", True)
    assert "label 0 is float's class 3" in found.text


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [800, 60])
def test_labels_that_were_shuffled_are_refused(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray], seed: int, count: int
) -> None:
    image, labels = digits
    shuffled = np.random.default_rng(seed).permutation(labels[:count])
    assert kinds(checked(tmp_path, model, image[:count], shuffled)) == {"guessing": True}


def test_samples_of_one_class(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    threes = image[labels == 3]
    assert kinds(checked(tmp_path, model, threes)) == {"one_answer": False}
    (found,) = checked(tmp_path, model, threes, labels[labels == 3]).findings
    assert found.text.startswith("all 80 labels are class 3")


def test_blank_images(tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]) -> None:
    image = digits[0].copy()
    image[np.arange(800) % 4 > 0] = 0
    assert "blank" in kinds(checked(tmp_path, model, image))


def test_labels_under_another_name(
    tmp_path: Path, model: FloatModel, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    np.savez(tmp_path / "d.npz", image=image, y=labels)
    samples = open_samples(str(tmp_path / "d.npz"), inputs=model.inputs)
    (found,) = check(samples, model).findings
    assert str(found) == (
        "y looks like labels (800 integers from 0 to 9): name it labels, and accuracy is judged by them"
    )


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (lambda labels: np.where(labels == 3, np.nan, labels), "80 of 800 labels are NaN, and none is used"),
        (lambda labels: labels.astype(str), "the 800 labels are text, and none is used"),
    ],
)
def test_labels_that_are_no_numbers(
    tmp_path: Path,
    digits: tuple[np.ndarray, np.ndarray],
    stored: Callable[[np.ndarray], np.ndarray],
    text: str,
) -> None:
    image, labels = digits
    np.savez(tmp_path / "d.npz", image=image, labels=stored(labels))
    (found,) = look_at(model=str(DEMO / "digits_cnn.onnx"), data=str(tmp_path / "d.npz")).findings
    assert (found.kind, found.text[: len(text)]) == ("labels_unused", text)


def test_labels_for_a_metric_of_one_s_own_are_not_warned_about(
    tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    image, labels = digits
    np.savez(tmp_path / "d.npz", image=image, labels=np.stack([labels, labels], axis=1) + 0.5)
    looked = look_at(model=str(DEMO / "digits_cnn.onnx"), data=str(tmp_path / "d.npz"))
    assert looked.findings == ()
    assert looked.notes == (
        "the labels (float64 of shape 800x2) are not class numbers and are not used: use --metric to score them",
    )
