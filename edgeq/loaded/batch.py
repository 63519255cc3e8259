"""Several samples in one call: taken apart where the file takes one at a time, and the outputs put together again."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgeq.example_code.contract import Tensor

Array = npt.NDArray[np.generic]
Shape = Sequence[int | None]


def samples_of(
    given: Mapping[str, object], inputs: Sequence[Tensor], *, images: bool
) -> Iterator[dict[str, object]] | None:
    """One call's inputs after the other; None where `given` is one call already.

    An array holds several samples where it has the shape of the input with N in place of its first 1, or N in front of it.
    Where the model was converted with --preprocess, `images`, so does a list of images and uint8 [N, H, W, C]. What holds
    only one goes with every sample. Raises ValueError where the numbers differ.
    """
    counts = {t.called: _count(given[t.called], t.shape, images=images) for t in inputs}
    several = {name: n for name, n in counts.items() if n is not None}
    if not several:
        return None
    if len(set(several.values())) > 1:
        words = ", ".join(f"{name} {n}" for name, n in several.items())
        raise ValueError(f"the inputs hold different numbers of samples: {words}")
    number = next(iter(several.values()))
    if number == 0:
        raise ValueError("there is no sample in the batch")
    return _each(given, frozenset(several), number)


def _each(given: Mapping[str, object], several: frozenset[str], number: int) -> Iterator[dict[str, object]]:
    for i in range(number):
        yield {
            name: value[i] if name in several else value  # type: ignore[index]
            for name, value in given.items()
        }


def _count(value: object, shape: Shape, *, images: bool) -> int | None:
    """How many samples it holds; None where it is one, or does not fit."""
    if images and isinstance(value, list) and not isinstance(value[0] if value else 0, (int, float, list)):
        return len(value)
    if not isinstance(value, np.ndarray):
        return None
    if images and value.dtype == np.uint8 and value.ndim == 4:
        return len(value)
    if _fits(value.shape, shape):
        return None
    kept = value.ndim == len(shape) and shape[:1] == (1,) and _fits(value.shape[1:], shape[1:])
    in_front = value.ndim == len(shape) + 1 and _fits(value.shape[1:], shape)
    return len(value) if kept or in_front else None


def _fits(given: Shape, expected: Shape) -> bool:
    return len(given) == len(expected) and all(e in (None, g) for g, e in zip(given, expected, strict=True))


def together(answers: Sequence[Mapping[str, Array]]) -> dict[str, Array | list[Array]]:
    """Each output with all samples along its first axis: in place of a batch of 1, or in front. An output whose shape differs
    between samples is a list with one array for each.
    """
    return {name: _joined([answer[name] for answer in answers]) for name in answers[0]}


def _joined(arrays: Sequence[Array]) -> Array | list[Array]:
    if len({array.shape for array in arrays}) > 1:
        return list(arrays)
    with_batch = arrays[0].ndim > 0 and arrays[0].shape[0] == 1
    return np.concatenate(arrays) if with_batch else np.stack(arrays)
