"""Mini-batches: every sample once, shuffled by seed and epoch, the same again from any step on."""

from dataclasses import dataclass, field

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgeq.errors import DataRefused  # noqa: E402
from edgeq.train.augment import Augmentation  # noqa: E402
from edgeq.train.batches import Batch, TrainingData, training_data  # noqa: E402

COUNT = 200
PLENTY, NOTHING = 1 << 40, 0


@dataclass
class Numbered:
    """Sample i is an image [1, 1, 2, 2] and a vector [1, 3] that hold i; the label is i modulo 4. Notes what was read."""

    count: int = COUNT
    labelled: bool = True
    read: list[int] = field(default_factory=list)

    @property
    def labels(self) -> np.ndarray | None:
        return np.arange(self.count, dtype=np.int32) % 4 if self.labelled else None

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        self.read.append(i)
        return np.full((1, 1, 2, 2), i, np.float32), np.full((1, 3), i, np.int64)


def data(samples: Numbered | None = None, **options: object) -> TrainingData:
    given = {"size": 16, "free_bytes": PLENTY, **options}
    return training_data(samples or Numbered(), **given)  # type: ignore[arg-type]


def numbers(batches: "list[Batch]") -> list[int]:
    return [int(n) for batch in batches for n in batch.positions]


@pytest.mark.parametrize("free", [PLENTY, NOTHING])
def test_an_epoch_has_full_batches_of_other_samples(free: int) -> None:
    train = data(free_bytes=free).train
    assert train.stored.kept == (free == PLENTY)
    assert (train.count, train.steps) == (COUNT - 32, 10)
    batches = list(train.epoch(0))
    assert len(set(numbers(batches))) == 160 and set(numbers(batches)) <= set(train.positions)
    for batch in batches:
        image, vector = batch.inputs
        assert image.shape == (16, 1, 2, 2) and image.dtype == torch.float32 and vector.dtype == torch.int64
        assert image[:, 0, 1, 1].tolist() == vector[:, 2].tolist() == batch.positions.tolist()
        assert batch.labels is not None and batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == (batch.positions % 4).tolist()


def test_what_an_epoch_leaves_comes_in_another() -> None:
    train = data().train
    seen = {n for epoch in range(4) for n in numbers(list(train.epoch(epoch)))}
    assert seen == set(train.positions)


def test_the_order_is_that_of_seed_and_epoch() -> None:
    train = data(seed=3).train
    assert numbers(list(train.epoch(5))) == numbers(list(data(seed=3).train.epoch(5)))
    assert numbers(list(train.epoch(5))) != numbers(list(train.epoch(6)))
    assert numbers(list(train.epoch(5))) != numbers(list(data(seed=4).train.epoch(5)))


def test_an_epoch_resumes_at_a_step() -> None:
    train = data(augmentation=Augmentation(flip=True, crop=1)).train
    whole = list(train.epoch(2))
    rest = list(train.epoch(2, first_step=7))
    assert len(rest) == 3
    for again, before in zip(rest, whole[7:], strict=True):
        assert again.positions.tolist() == before.positions.tolist()
        assert all(torch.equal(a, b) for a, b in zip(again.inputs, before.inputs, strict=True))


def test_validation_is_never_trained_on_shuffled_or_changed() -> None:
    both = data(augmentation=Augmentation(flip=True, crop=1))
    held = list(both.validation.in_order())
    assert numbers(held) == both.validation.positions.tolist() == sorted(numbers(held))
    trained = {n for epoch in range(5) for n in numbers(list(both.train.epoch(epoch)))}
    assert not trained & set(numbers(held))
    assert not both.validation.augmentation.changes


def test_the_last_batch_to_judge_by_may_be_smaller() -> None:
    held = list(data(size=20).validation.in_order())
    assert [len(batch.positions) for batch in held] == [20, 12]


def test_samples_are_read_once_where_they_fit_into_memory() -> None:
    samples = Numbered()
    both = data(samples)
    reads = len(samples.read)
    list(both.train.epoch(0)), list(both.validation.in_order())
    assert reads == COUNT and len(samples.read) == reads
    beyond = Numbered()
    both = data(beyond, free_bytes=4 * both.train.stored.bytes)
    assert not both.train.stored.kept and len(beyond.read) == 1


def test_fewer_samples_than_a_batch_are_one() -> None:
    train = data(Numbered(count=8), size=64).train
    (batch,) = train.epoch(0)
    assert sorted(batch.positions) == train.positions.tolist() and len(batch.positions) == 4


def test_without_labels() -> None:
    (batch, *_) = data(Numbered(labelled=False)).train.epoch(0)
    assert batch.labels is None


def test_augmentation_leaves_the_labels_and_what_is_no_image() -> None:
    plain, changed = (
        next(data(augmentation=how).train.epoch(0)) for how in (Augmentation(), Augmentation(flip=True))
    )
    assert torch.equal(plain.inputs[1], changed.inputs[1]) and torch.equal(plain.labels, changed.labels)


class Unlike(Numbered):
    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        return (np.zeros((1, 3, 8 + (i == 5), 8), np.float32),)


class WithoutBatch(Numbered):
    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        return (np.zeros((16, 40), np.float32),)


def test_samples_that_make_no_batch_are_refused() -> None:
    with pytest.raises(
        DataRefused, match="sample 5 is float32 of shape 1x3x9x8, sample 0 float32 of 1x3x8x8"
    ):
        data(Unlike())
    with pytest.raises(DataRefused, match="a batch of 1 in front; sample 0 has the shape 16x40"):
        data(WithoutBatch())
    with pytest.raises(ValueError, match="size of a mini-batch is 0"):
        data(size=0)
