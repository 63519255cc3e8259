"""Samples that a Python program has in memory or hands over one after the other, instead of naming a file.

Whole arrays stay in memory. What is iterated is read once, up to a number of samples, and kept on disk: it may not be
readable twice, may draw random numbers, and what it gave identifies it.
"""

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from edgeq.errors import DataRefused
from edgeq.ingest.generator import MOST, array_of, by_name, parted, stored_samples
from edgeq.ingest.labels import KEYS
from edgeq.ingest.npz import LABELS, Shapes, load_arrays, of_arrays, one_array_each, sample_key
from edgeq.ingest.spool import Spool
from edgeq.ingest.stored import Stored
from edgeq.user_code import place_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.utils.data import DataLoader, Dataset

# How a sample is made of arrays: None where an array stands, and whole numbers, which may be labels.
Form = dict[str, "Form"] | tuple["Form", ...] | int | np.integer | None

TAKES = (
    "an array, a dict of arrays by input name, a tuple (inputs, labels), a list of samples, a torch DataLoader or Dataset, "
    "an iterable of samples or batches; or, as text, an .npz, a folder or file.py:function"
)
_MOST_INPUTS = 16  # in a tuple: more arrays are samples, as in a list
_FEWER = "limit the number of samples: itertools.islice, torch.utils.data.Subset"


@dataclass(frozen=True)
class GivenData:
    """`words` name it in messages; `sha256` is of everything that was given, empty for a file, which has its own. `open_for` reads it for inputs of these names
    and shapes, `first` gives the first sample before the inputs are known: what follows its inputs may be a label.
    `how_many` there are, as far as that can be told before the inputs are known: of batches, these.
    `may_differ`: samples may have several shapes. `images`: they are pictures of PIL, which take preprocessing.
    """

    words: str
    sha256: str
    open_for: Callable[[tuple[str, ...], Shapes], Stored]
    first: Callable[[], Mapping[str, np.ndarray]]
    how_many: Callable[[], int]
    may_differ: bool
    images: bool = False

    def __str__(self) -> str:
        return self.words


def given_data(value: object) -> GivenData:
    """Raises TypeError for what is no data, DataRefused for what cannot be read."""
    if _is_array(value):
        return _arrays(value)
    if isinstance(value, Mapping) and value and all(_is_array(v) for v in value.values()):
        return _arrays({str(name): array for name, array in value.items()})
    if isinstance(value, tuple) and 0 < len(value) <= _MOST_INPUTS and all(map(_is_many, value)):
        return _arrays(value)
    _require_few(value)
    if _is_dataset(value):
        return _iterated((value[i] for i in range(len(value))), _words(value))
    if _is_loader(value):
        return _iterated((sample for batch in value for sample in _apart(batch)), _words(value))
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return _iterated(value, _words(value))
    raise TypeError(f"data takes {TAKES}; not {type(value).__name__}")


def kept_in_memory(spec: str | GivenData) -> str | GivenData:
    """An .npz is read here, once for all who ask for its first sample, its shapes and its samples; the rest as it is. Raises
    DataRefused.
    """
    path = Path(spec) if isinstance(spec, str) else None
    if path is None or path.suffix.lower() != ".npz" or not path.is_file():
        return spec
    arrays = load_arrays(path)
    return GivenData(
        str(path),
        "",
        lambda _, shapes: of_arrays(path, arrays, shapes),
        lambda: of_arrays(path, arrays, None).read(0),
        lambda: len(of_arrays(path, arrays, None).keys),
        may_differ=one_array_each(arrays),
    )


def _is_array(value: object) -> "TypeGuard[np.ndarray | Tensor]":
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _is_picture(value: object) -> bool:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def _is_many(part: object) -> bool:
    """An array with the samples along its first axis, several of these, or labels."""
    if isinstance(part, Mapping):
        return bool(part) and all(_is_array(v) for v in part.values())
    if isinstance(part, tuple):
        return bool(part) and all(_is_array(v) for v in part)
    if isinstance(part, list):
        return bool(part) and isinstance(part[0], (int, float, np.number))
    return _is_array(part) and part.ndim > 0


def _is_dataset(value: object) -> "TypeGuard[Dataset[object]]":
    """A map-style Dataset: torch leaves out __iter__ there."""
    return hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, Iterable)


def _is_loader(value: object) -> "TypeGuard[DataLoader[object]]":
    torch = sys.modules.get("torch.utils.data")  # who has a DataLoader has imported it
    return torch is not None and isinstance(value, torch.DataLoader) and value.batch_size is not None


def _require_few(value: object) -> None:
    """Of what says how long it is, before it is read."""
    count = _count(value)
    if count is not None and count > MOST:
        raise DataRefused(f"{_words(value)} holds more than {MOST:,}", _FEWER)


def _count(value: Any) -> int | None:
    """At most; None where it does not say."""
    try:
        return len(value) * value.batch_size if _is_loader(value) else len(value)
    except TypeError:
        return None


def _words(value: Any) -> str:
    """ "DataLoader of 500 samples": of a DataLoader its Dataset counts them."""
    counted = getattr(value, "dataset", value) if _is_loader(value) else value
    try:
        return f"{type(value).__name__} of {len(counted):,} samples"
    except TypeError:
        return type(value).__name__


# Whole arrays


def _arrays(value: object) -> GivenData:
    # What a tuple means shows once the model's inputs are known.
    parts = _flat(value)
    words = ", ".join(_described(name, array) for name, array in parts.items())
    if isinstance(value, tuple):
        words = f"({words})"

    def open_for(names: tuple[str, ...], shapes: Shapes) -> Stored:
        return of_arrays("data", _named(value, names), shapes)

    def opened() -> Stored:
        return of_arrays("data", _named(value, ()), None)

    return GivenData(
        words,
        sample_key(parts, None),
        open_for,
        lambda: opened().read(0),
        lambda: len(opened().keys),
        may_differ=False,
    )


def _described(name: str, array: np.ndarray) -> str:
    """ "image: array 60x3x8x8 float32"; only a name that somebody gave."""
    last = name.rpartition(".")[2]
    given = "" if last.isdecimal() or not last else f"{last}: "
    return f"{given}array {'x'.join(map(str, array.shape))} {array.dtype.name}"


def _flat(value: object) -> dict[str, np.ndarray]:
    """Every array under a name of its own, whatever the tuple means."""
    if isinstance(value, Mapping):
        return {str(name): array_of(array, "data holds") for name, array in value.items()}
    if isinstance(value, tuple):
        return {
            f"{i}.{name}" if name else str(i): array
            for i, part in enumerate(value)
            for name, array in _flat(part).items()
        }
    return {"": array_of(value, "data holds")}


def _named(value: object, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays by the names of their inputs, and labels."""
    sample, labels = parted(value, names)
    found = by_name(sample, "data holds", names)
    if names and isinstance(value, tuple) and isinstance(sample, tuple) and len(sample) != len(names):
        raise DataRefused(
            f"data is a tuple of {len(value)}, and the model has {len(names)} inputs: {', '.join(names)}",
            "a tuple holds one array for each input, with the samples along the first axis, followed by the labels; put single "
            "samples into a list",
        )
    return found if labels is None else {**found, LABELS: array_of(labels, "data holds labels as")}


# One after the other


def _iterated(items: Iterable[object], words: str) -> GivenData:
    raw = _read_once(items, words)

    def open_for(names: tuple[str, ...], shapes: Shapes) -> Stored:
        fewest = 1 if _is_batch(raw.read(0), names, shapes) else 2  # the last batch may hold one sample
        pairs = (
            (
                by_name(sample, f"{words} yields", names),
                None if label is None else array_of(label, f"{words} yields a label of"),
            )
            for item in raw
            for one in (_apart(item) if _is_batch(item, names, shapes, fewest) else (item,))
            for sample, label in (parted(one, names),)
        )
        return replace(stored_samples(words, pairs), images=raw.images)

    def first() -> Mapping[str, np.ndarray]:
        item = raw.read(0)
        one = next(_apart(item)) if _is_batch_of_pairs(item) else item
        return by_name(parted(one, ())[0], f"{words} yields", ())

    return GivenData(words, raw.sha256, open_for, first, lambda: len(raw), may_differ=True, images=raw.images)


class _Raw:
    """What was yielded, on disk: arrays in files, and how they lie in tuples and dicts in memory."""

    def __init__(self) -> None:
        self.images = False
        self._spool = Spool()
        self._forms: list[Form] = []
        self._digest = hashlib.sha256()

    def add(self, item: object, words: str) -> None:
        arrays: list[np.ndarray] = []
        form = _form(item, arrays, words)
        parts = item.values() if isinstance(item, Mapping) else item if isinstance(item, tuple) else (item,)
        self.images = self.images or any(map(_is_picture, parts))
        named = {str(i): array for i, array in enumerate(arrays)}
        self._spool.add(named)
        self._forms.append(form)
        self._digest.update(f"{form!r} {sample_key(named, None)}\n".encode())

    def read(self, i: int) -> object:
        return _formed(self._forms[i], iter(self._spool.read(i).values()))

    def __iter__(self) -> Iterator[object]:
        return (self.read(i) for i in range(len(self._forms)))

    def __len__(self) -> int:
        return len(self._forms)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _read_once(items: Iterable[object], words: str) -> _Raw:
    raw = _Raw()
    try:
        for item in itertools.islice(items, MOST + 1):
            raw.add(item, words)
    except DataRefused:
        raise
    except Exception as error:  # of the caller's own code
        raise DataRefused(
            f"{words} failed: {type(error).__name__}: {error}",
            "iterate over it by itself to find out why",
            details=place_of(error),
        ) from error
    if not len(raw):
        raise DataRefused(f"{words} yields no samples")
    if len(raw) > MOST:
        raise DataRefused(f"{words} yields more than {MOST:,} samples", _FEWER)
    return raw


def _form(item: object, arrays: list[np.ndarray], words: str) -> Form:
    """How `item` is made of arrays, which are appended; a whole number stays one, of its type: it may be a label."""
    if isinstance(item, Mapping):
        return {str(name): _form(part, arrays, words) for name, part in item.items()}
    if isinstance(item, tuple) or (isinstance(item, list) and any(_is_array(part) for part in item)):
        return tuple(_form(part, arrays, words) for part in item)
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item) if np.asarray(item).dtype == np.int64 else item
    if _is_picture(item):
        item = np.asarray(item)
    arrays.append(array_of(item, f"{words} yields"))
    return None


def _formed(form: Form, arrays: Iterator[np.ndarray]) -> object:
    if isinstance(form, dict):
        return {name: _formed(part, arrays) for name, part in form.items()}
    if isinstance(form, tuple):
        return tuple(_formed(part, arrays) for part in form)
    return next(arrays) if form is None else form


def _apart(batch: object) -> Iterator[object]:
    """The samples of a batch: every array of it has them along its first axis."""
    lengths = {len(leaf) if np.ndim(leaf) else None for leaf in _leaves(batch)}
    if len(lengths) != 1 or None in lengths:
        raise DataRefused(
            "the arrays of a batch hold different numbers of samples",
            "the first axis of each counts the samples; give single samples in a list instead",
        )
    return (_row(batch, i) for i in range(lengths.pop() or 0))


def _leaves(item: object) -> Iterator[np.ndarray]:
    if isinstance(item, Mapping):
        item = tuple(item.values())
    if isinstance(item, (tuple, list)):
        for part in item:
            yield from _leaves(part)
    else:
        yield array_of(item, "a batch holds")


def _row(item: object, i: int) -> object:
    if isinstance(item, Mapping):
        return {name: _row(part, i) for name, part in item.items()}
    if isinstance(item, (tuple, list)):
        return tuple(_row(part, i) for part in item)
    return array_of(item, "a batch holds")[i]


def _is_batch(item: object, names: tuple[str, ...], shapes: Shapes, fewest: int = 2) -> bool:
    """Whether the arrays fit the inputs with `fewest` samples or more along the first axis; single samples have a plain label."""
    sample, label = parted(item, names)
    found = by_name(sample, "data holds", names)
    if len(found) != len(names) or len(shapes) != len(names):
        return False
    chosen = [found[n] for n in names] if set(names) == set(found) else list(found.values())
    several = all(
        a.ndim == len(shapes[n])
        and a.ndim > 0
        and len(a) >= fewest
        and shapes[n][0] in (1, None)
        and all(d in (None, s) for d, s in zip(shapes[n][1:], a.shape[1:], strict=True))
        for n, a in zip(names, chosen, strict=True)
    )
    alike = len({len(a) for a in chosen if a.ndim}) == 1
    return several and alike and (label is None or (np.ndim(label) > 0 and len(label) == len(chosen[0])))


def _is_batch_of_pairs(item: object) -> bool:
    """(inputs, labels) of several samples, seen before the model is known: as many labels as inputs."""
    if isinstance(item, Mapping):
        labels = [item[key] for key in KEYS if key in item]
        inputs = [part for key, part in item.items() if key not in KEYS]
    elif isinstance(item, tuple) and len(item) == 2:
        inputs, labels = [item[0]], [item[1]]
    else:
        return False
    arrays = [leaf for part in inputs for leaf in _leaves(part)]
    return (
        len(labels) == 1
        and np.ndim(labels[0]) > 0
        and len(labels[0]) > 1
        and all(a.ndim > 1 and len(a) == len(labels[0]) for a in arrays)
    )
