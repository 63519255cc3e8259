"""Samples from an .npz (or an .npy): arrays with the samples along their first axis, or one array per sample where their
shapes differ; with `labels` as another array."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest import array_file
from edgeq.ingest.labels import KEYS, likely_labels
from edgeq.ingest.stored import Stored
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_file, free_memory

LABELS = KEYS[0]
_MOST_SAMPLES = 1_000_000  # each is hashed, which takes some microseconds
_NUMBERED = re.compile(r"arr_[0-9]+")

Shapes = Mapping[str, tuple[int | None, ...]]


def of_arrays(path: Path | str, arrays: dict[str, np.ndarray], inputs: Shapes | None) -> Stored:
    """`inputs` are the model's input shapes: an array that has exactly such a shape and no room for samples (a sample
    rate, a first state) is the same for every sample. None: the model is not known yet, and of arrays of several lengths
    those count the samples that are as long as the labels, or else the longest; samples have no keys then.

    Raises DataRefused: no samples, or arrays with different numbers of samples.
    """
    arrays = dict(arrays)
    truth = arrays.pop(LABELS, None)
    if not arrays:
        raise DataRefused(f"{path} holds no samples, only labels", "add an array named as the model's input")
    if one_array_each(arrays):
        return _of_list(path, arrays, truth, keyed=inputs is not None)
    labels = () if truth is None else (len(np.atleast_1d(truth)),)
    constant = _constant(arrays, inputs, labels) if inputs is not None else _of_other_lengths(arrays, labels)
    single = {
        n for n, a in arrays.items() if n not in constant and _is_one_sample(a, n, arrays, inputs or {})
    }
    lengths = {n: 1 if n in single else len(a) for n, a in arrays.items() if n not in constant}
    if truth is not None:
        lengths[LABELS] = len(np.atleast_1d(truth))
        truth = np.atleast_1d(truth)
    count = _one_length(path, lengths)
    whole = constant | single

    def read(i: int) -> dict[str, np.ndarray]:
        return {n: a if n in whole else a[i] for n, a in arrays.items()}

    if inputs is None:
        return Stored(str(path), ("",) * count, read, truth, arrays=arrays)
    keys = tuple(sample_key(read(i), truth[i] if truth is not None else None) for i in range(count))
    likely = "" if truth is not None else likely_labels(arrays, inputs)
    return Stored(str(path), keys, read, truth, arrays=arrays, likely_labels=likely)


def one_array_each(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether these are numpy.savez(path, *samples): arr_0, arr_1 ... of one type and rank and of several shapes. Two
    arrays of equal length are read as samples and an additional array.
    """
    found = {name: array for name, array in arrays.items() if name != LABELS}
    if len(found) < 2 or not all(_NUMBERED.fullmatch(name) for name in found):
        return False
    alike = len({(a.dtype, a.ndim) for a in found.values()}) == 1
    lengths = {a.shape[:1] for a in found.values()}
    differ = len({a.shape for a in found.values()}) > 1
    return alike and differ and (len(found) > 2 or len(lengths) > 1 or lengths == {(1,)})


def _of_list(
    path: Path | str, arrays: Mapping[str, np.ndarray], truth: np.ndarray | None, *, keyed: bool
) -> Stored:
    samples = [arrays[name] for name in sorted(arrays, key=lambda name: int(name.removeprefix("arr_")))]
    lengths = {"the samples": len(samples)}
    if truth is not None:
        truth = np.atleast_1d(truth)
        lengths[LABELS] = len(truth)
    _one_length(path, lengths)
    keys = tuple(
        sample_key({"": array}, None if truth is None else truth[i]) if keyed else ""
        for i, array in enumerate(samples)
    )
    return Stored(str(path), keys, lambda i: {"": samples[i]}, truth)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz, in the order they were written; pickled objects are refused."""
    ask(array_file.NPZ, path, for_file(0), most_bytes=free_memory() // 2)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: with_sound_text(archive[name]) for name in archive.files}
    except Exception as error:  # zlib's, zipfile's, numpy's own: the bytes are not what the headers say
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataRefused(f"{path} cannot be read as .npz: {reason}", array_file.NPZ_REMEDY) from None


def with_sound_text(array: np.ndarray) -> np.ndarray:
    """`array` itself. Raises ValueError for text that has characters beyond Unicode, of which Python makes no strings."""
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.ascontiguousarray(array).reshape(-1).view(array.dtype.byteorder.replace("|", "=") + "u4")
        if codes.max() > 0x10FFFF:
            raise ValueError("its text is damaged")
    return array


def _constant(arrays: Mapping[str, np.ndarray], inputs: Shapes, labels: tuple[int, ...]) -> set[str]:
    """What is stored once, for all samples. Any number of arrays may be, such as an LSTM's `h` and `c`, whose first axis may
    be 1; the others and the labels count the samples.
    """
    whole = {n for n, a in arrays.items() if a.ndim and n in inputs and _is_whole(a.shape, inputs[n])}
    counts = {len(a) for n, a in arrays.items() if a.ndim and n not in whole} | set(labels)
    if not counts and len({len(arrays[n]) for n in whole}) == 1:
        whole = set()  # one sample of each
    return {n for n, a in arrays.items() if not a.ndim or (n in whole and len(a) not in counts)}


def _is_whole(shape: tuple[int, ...], of_input: tuple[int | None, ...]) -> bool:
    """Whether it is the input's own; an open batch is one."""
    if len(shape) != len(of_input):
        return False
    batch = 1 if of_input[0] is None else of_input[0]
    return shape[0] == batch and all(d in (None, s) for d, s in zip(of_input[1:], shape[1:], strict=True))


def _of_other_lengths(arrays: Mapping[str, np.ndarray], labels: tuple[int, ...]) -> set[str]:
    lengths = {n: len(a) for n, a in arrays.items() if a.ndim}
    count = labels[0] if labels else max(lengths.values(), default=1)
    if count not in lengths.values():
        return {n for n in arrays if n not in lengths}
    return {n for n in arrays if lengths.get(n) != count}


def _is_one_sample(array: np.ndarray, name: str, arrays: Mapping[str, np.ndarray], inputs: Shapes) -> bool:
    """A lone array stored without an axis of samples."""
    shape = inputs.get(name) or (next(iter(inputs.values())) if len(inputs) == len(arrays) == 1 else None)
    return shape is not None and len(shape) > 1 and shape[0] == 1 and array.shape == shape[1:]


def _one_length(path: Path | str, lengths: Mapping[str, int]) -> int:
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{n or 'the samples'} {c:,}" for n, c in lengths.items())
        raise DataRefused(
            f"the arrays of {path} hold different numbers of samples: {listed}",
            "the first axis of every array, labels included, counts the samples",
        )
    count = next(iter(lengths.values()), 1)
    if count == 0:
        name = next(iter(lengths)) or "the array"
        raise DataRefused(f"{path} holds no samples: the first axis of {name} has length 0")
    if count > _MOST_SAMPLES:
        raise DataRefused(
            f"{path} declares {count:,} samples; the limit is {_MOST_SAMPLES:,}",
            "the first axis counts the samples: store one array per input, [samples, ...], with the samples for calibration and evaluation",
        )
    return count


def sample_key(sample: Mapping[str, np.ndarray], label: object) -> str:
    """sha256 over names, types, shapes and bytes of one sample and its label: the same in every form of data, so names are
    those of inputs where the data has none.
    """
    digest = hashlib.sha256()
    parts = dict(sample) if label is None else {**sample, LABELS: np.asarray(label)}
    for name in sorted(parts):
        array = np.ascontiguousarray(parts[name])
        digest.update(f"{name} {array.dtype.str} {parts[name].shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
