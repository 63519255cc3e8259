"""The models of shared/data under their documented preprocessing, and the same samples prepared in a wrong way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeq.errors import DataRefused
from edgeq.nouns.data_check import DataSeen
from edgeq.workflow.data import data as look_at
from tests.models import zoo

pytestmark = pytest.mark.data
CLASSIFIERS = ("resnet8", "resnet8.tflite", "resnet20", "kws", "mnist")


@pytest.fixture(scope="module")
def entry(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[dict[str, str], str]]:
    def prepared(name: str) -> tuple[dict[str, str], str]:
        folder = tmp_path_factory.mktemp("zoo")
        words = zoo.prepare(name.partition(".")[0], data_dir, folder).words
        options = dict(zip(words[1::2], words[2::2], strict=True))
        known = {"model": words[0], "weights": options.get("--weights", ""), "data": options["--data"]}
        if name.endswith(".tflite"):
            known["model"] = str(data_dir / "mlperf_tiny" / "ic_pretrainedResnet.tflite")
        return {k: v for k, v in known.items() if v}, name

    return prepared


def seen(
    folder: Path,
    known: dict[str, str],
    name: str,
    spoil: Callable[[np.ndarray], np.ndarray],
    labelled: bool = True,
) -> DataSeen:
    with np.load(known["data"]) as stored:
        key = next(k for k in stored.files if k != "labels")
        array, labels = stored[key], stored["labels"]
    array = np.ascontiguousarray(spoil(array), array.dtype)
    array = array.transpose(0, 2, 3, 1) if name.endswith(".tflite") else array
    np.savez(folder / "d.npz", **{key: array} | ({"labels": labels} if labelled else {}))
    return look_at(**{**known, "data": str(folder / "d.npz")})


def kinds(looked: DataSeen) -> set[str]:
    return {finding.kind for finding in looked.findings}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("labelled", [True, False])
def test_sound_samples_are_not_warned_about(
    tmp_path: Path, entry: Callable[[str], tuple[dict[str, str], str]], name: str, labelled: bool
) -> None:
    looked = seen(tmp_path, *entry(name), lambda x: x, labelled)
    assert looked.findings == ()
    assert looked.answers is not None


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("factor", [1 / 255, 255])
def test_a_wrong_scale_is_seen_without_labels(
    tmp_path: Path, entry: Callable[[str], tuple[dict[str, str], str]], name: str, factor: float
) -> None:
    assert "scale" in kinds(seen(tmp_path, *entry(name), lambda x: x * factor, labelled=False))


@pytest.mark.parametrize("name", ["resnet8", "resnet8.tflite", "resnet20"])
def test_other_orders_are_seen(
    tmp_path: Path, entry: Callable[[str], tuple[dict[str, str], str]], name: str
) -> None:
    known = entry(name)
    assert "preprocessing" in kinds(seen(tmp_path, *known, lambda x: x[:, ::-1]))
    scrambled = seen(tmp_path, *known, lambda x: x.transpose(0, 2, 3, 1).reshape(x.shape), labelled=False)
    if not name.endswith(".tflite"):
        assert kinds(scrambled) == {"layout"}
    grays = seen(
        tmp_path, *known, lambda x: np.repeat(x.mean(axis=1, keepdims=True), 3, axis=1), labelled=False
    )
    assert "gray" in kinds(grays)


@pytest.mark.parametrize("name", ["resnet8", "resnet8.tflite", "resnet20"])
def test_a_wrong_shape_says_what_would_fit(
    tmp_path: Path, entry: Callable[[str], tuple[dict[str, str], str]], name: str
) -> None:
    with pytest.raises(DataRefused) as refused:
        seen(tmp_path, *entry(name), lambda x: x.transpose(0, 2, 3, 1))
    assert "transpose(" in str(refused.value.remedy)
