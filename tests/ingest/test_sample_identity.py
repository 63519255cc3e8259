"""The same samples have the same keys, and so the same split and digest, in whatever form they are given."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeq.ingest.given_data import given_data
from edgeq.ingest.samples import Samples, open_samples
from edgeq.ingest.split import split
from edgeq.nouns.tensor import TensorSpec

ONE = (TensorSpec("image", "float32", (1, 3, 4, 4)),)
TWO = (TensorSpec("left", "float32", (1, 5)), TensorSpec("right", "float32", (1, 2)))
COUNT = 21


def image() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((COUNT, 3, 4, 4)).astype(np.float32)


def left_and_right() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((COUNT, 5)).astype(np.float32), rng.standard_normal((COUNT, 2)).astype(
        np.float32
    )


def labels(dtype: str) -> np.ndarray:
    return (np.arange(COUNT) % 4).astype(dtype)


def of_npz(folder: Path, inputs: tuple[TensorSpec, ...], **arrays: np.ndarray) -> Samples:
    np.savez(folder / "d.npz", **arrays)
    return open_samples(str(folder / "d.npz"), inputs=inputs)


def of(value: Any, inputs: tuple[TensorSpec, ...]) -> Samples:
    return open_samples(given_data(value), inputs=inputs)


def loader(*arrays: np.ndarray, batch: int = 5) -> Any:
    """Of 21 samples in batches of five: the last holds one."""
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays)), batch_size=batch
    )


def batches(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((x[i : i + 5], y[i : i + 5]) for i in range(0, COUNT, 5))


LABELLED: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "dict": lambda x, y: {"labels": y, "image": x},
    "tuple": lambda x, y: (x, y),
    "list": lambda x, y: list(zip(x, y, strict=True)),
    "list of dicts": lambda x, y: [{"image": a, "label": b} for a, b in zip(x, y, strict=True)],
    "iterator of batches": batches,
    "DataLoader": loader,
}


@pytest.mark.parametrize("form", LABELLED)
@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_labelled_samples_are_the_same_in_every_form(form: str, dtype: str, tmp_path: Path) -> None:
    x, y = image(), labels(dtype)
    expected = of_npz(tmp_path, ONE, image=x, labels=y)
    given = of(LABELLED[form](x, y), ONE)
    assert given.keys == expected.keys
    assert given.sha256 == expected.sha256
    assert split(given).calibration.indices == split(expected).calibration.indices
    assert np.array_equal(given.labels, expected.labels)


@pytest.mark.parametrize("form", [lambda x: x, lambda x: {"image": x}, list, iter, loader])
def test_samples_without_labels_are_the_same_in_every_form(
    form: Callable[[np.ndarray], Any], tmp_path: Path
) -> None:
    x = image()
    assert of(form(x), ONE).keys == of_npz(tmp_path, ONE, image=x).keys


def test_an_array_file_and_a_function_give_the_same_samples(tmp_path: Path) -> None:
    x, y = image(), labels("int64")
    expected = of_npz(tmp_path, ONE, image=x)
    np.save(tmp_path / "x.npy", x)
    assert open_samples(str(tmp_path / "x.npy"), inputs=ONE).keys == expected.keys
    np.save(tmp_path / "y.npy", y)
    (tmp_path / "gen.py").write_text(
        "import pathlib\n"
        "import numpy as np\n"
        "here = pathlib.Path(__file__).parent\n"
        "def samples():\n"
        "    return zip(np.load(here / 'x.npy'), map(int, np.load(here / 'y.npy')))\n"
    )
    function = open_samples(f"{tmp_path}/gen.py:samples", inputs=ONE)
    assert function.keys == of_npz(tmp_path, ONE, image=x, labels=y).keys


@pytest.mark.parametrize(
    "form",
    [
        lambda a, b, y: {"right": b, "left": a, "labels": y},
        lambda a, b, y: (a, b, y),
        lambda a, b, y: ((a, b), y),
        lambda a, b, y: list(zip(a, b, y, strict=True)),
        loader,
    ],
)
def test_several_inputs_are_the_same_in_every_form(form: Callable[..., Any], tmp_path: Path) -> None:
    a, b = left_and_right()
    y = labels("int64")
    assert of(form(a, b, y), TWO).keys == of_npz(tmp_path, TWO, left=a, right=b, labels=y).keys


def test_a_tuple_is_in_the_order_of_inputs_whose_names_are_numbers() -> None:
    inputs = (TensorSpec("1", "float32", (1, 5)), TensorSpec("0", "float32", (1, 2)))
    a, b = left_and_right()
    first = of(list(zip(a, b, strict=True)), inputs)[0]
    assert [array.shape for array in first] == [(1, 5), (1, 2)]


def test_single_arrays_of_several_shapes_are_the_same_in_every_form(tmp_path: Path) -> None:
    inputs = (TensorSpec("image", "float32", (1, 3, None, 4)),)
    arrays = [image()[i, :, : 2 + i % 3] for i in range(6)]
    np.savez(tmp_path / "d.npz", *arrays, labels=labels("int64")[:6])
    expected = open_samples(str(tmp_path / "d.npz"), inputs=inputs)
    pairs = list(zip(arrays, labels("int64"), strict=False))
    assert of(pairs, inputs).keys == expected.keys
    assert of([{"image": a, "labels": y} for a, y in pairs], inputs).keys == expected.keys


def test_the_keys_of_an_npz_stay(tmp_path: Path) -> None:
    """Bundles that were made of one would get another split."""
    samples = of_npz(
        tmp_path, ONE, image=np.arange(96, dtype=np.float32).reshape(2, 3, 4, 4), labels=np.arange(2)
    )
    assert samples.sha256 == "a0b44d7b92c780b58e1d3e99733d44abeeceacf50e59e2526428b8b4473f8771"
