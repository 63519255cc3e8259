"""Which samples an emulated CPU is tried with: those that a bundle carries, or labelled ones of the user's own.

Emulation may get through a few only, so they are mixed first: every beginning of the list is a fair share of the whole.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeq.bundle import read_check
from edgeq.conversion.training_samples import split_for_training
from edgeq.errors import BundleRefused, DataRefused
from edgeq.ingest.given_data import GivenData
from edgeq.ingest.preprocess import parse
from edgeq.ingest.samples import Samples, open_samples
from edgeq.ingest.split import Split, split
from edgeq.nouns.bundle import Bundle

MOST = 1000  # beyond that no default run gets
_SEED = 0


@dataclass(frozen=True)
class Chosen:
    """Samples on the disk, `files[i]` [count, *shape of input i]; labels and truth as in SamplesLike. `judged` says that
    they are of those that judged the bundle when it was made, `source` where they come from, in words.
    """

    files: tuple[Path, ...]
    count: int
    labels: np.ndarray | None
    truth: np.ndarray | None
    source: str
    judged: bool
    sha256: str = ""

    def __getitem__(self, i: int) -> tuple[np.ndarray, ...]:
        """A sample of a scalar input is an array too."""
        return tuple(np.asarray(np.load(f, mmap_mode="r", allow_pickle=False)[i]) for f in self.files)


def of_bundle(bundle: Bundle, most: int | None, folder: Path) -> Chosen:
    """Those that it carries. Raises BundleRefused where it carries none."""
    check = read_check(bundle)
    if check is None:
        raise BundleRefused(f"{bundle.path} carries no samples", "give --data")
    order = _mixed(len(check.inputs[0]), most)
    files = _write((tuple(a[i] for a in check.inputs) for i in order), len(order), folder)
    labels = None if check.labels is None else check.labels[order]
    kind = "held-out samples" if bundle.manifest.data_sha256 else "samples of random input"
    source = f"{len(order)} {kind} that the bundle carries"
    return Chosen(files, len(order), labels, labels, source, judged=True)


def open_data(bundle: Bundle, data: str | GivenData, preprocess: str | None) -> Samples:
    """The user's, for the bundle's inputs, preprocessed as it says unless `preprocess` does. Raises DataRefused."""
    preprocessing = bundle.manifest.preprocessing if preprocess is None else parse(preprocess)
    return open_samples(data, inputs=bundle.manifest.inputs, preprocessing=preprocessing)


def of_data(
    bundle: Bundle, samples: Samples, data: str, calibrate: int | None, most: int | None, folder: Path
) -> Chosen:
    """Those of the user's `samples`, which are `data`, that did not calibrate the bundle where it was made from the same. Raises
    DataRefused.
    """
    parts = _parts(bundle, samples, calibrate)
    same = parts is not None
    if calibrate is not None and not same:
        raise DataRefused(
            f"the bundle was not calibrated with {calibrate} of {data}",
            "leave out --calibrate where the data are others than those that it was made from",
        )
    kept: Samples = parts.heldout if parts is not None else samples
    fit = _of_one_shape(kept, bundle)
    taken = kept.take([fit[i] for i in _mixed(len(fit), most or MOST)])
    files = _write((taken[i] for i in range(taken.count)), taken.count, folder)
    source = f"{taken.count} of {data}"
    source += (
        ", none of which calibrated the bundle" if same else ", not the data that the bundle was made from"
    )
    if len(fit) < kept.count:
        source += f", of the {len(fit):,} whose shape is that of the samples in the bundle"
    return Chosen(files, taken.count, taken.labels, taken.truth, source, judged=same)


def _parts(bundle: Bundle, samples: Samples, calibrate: int | None) -> Split | None:
    """As the conversion divided `samples`, with a training or without; None where it had others."""
    if samples.count <= 1:
        return None
    ways = [split(samples, calibrate=calibrate)]
    with contextlib.suppress(DataRefused):  # too few
        ways.append(split_for_training(samples, calibrate=calibrate))
    return next((way for way in ways if way.calibration.sha256 == bundle.manifest.data_sha256), None)


def _of_one_shape(samples: Samples, bundle: Bundle) -> list[int]:
    """A machine is given them as one array. Raises DataRefused where no sample has the shape of the bundle's own."""
    check = read_check(bundle)
    if check is None or all(None not in spec.shape for spec in bundle.manifest.inputs):
        return list(range(samples.count))
    shape = [array.shape[1:] for array in check.inputs]
    fit = [i for i, sample in enumerate(samples) if [a.shape for a in sample] == shape]
    if not fit:
        words = ", ".join("x".join(map(str, s)) for s in shape)
        raise DataRefused(f"no sample has the shape {words} of the samples in the bundle", "leave out --data")
    return fit


def _mixed(count: int, most: int | None) -> np.ndarray:
    return np.random.default_rng(_SEED).permutation(count)[: most or count]


def _write(samples: Iterator[Sequence[np.ndarray]], count: int, folder: Path) -> tuple[Path, ...]:
    """One .npy per input, filled sample by sample: they need not fit into memory."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    arrays: list[np.memmap] = []
    for i, sample in enumerate(samples):
        if not arrays:
            files = [folder / f"{k}.npy" for k in range(len(sample))]
            arrays = [
                np.lib.format.open_memmap(f, "w+", a.dtype, (count, *a.shape))
                for f, a in zip(files, sample, strict=True)
            ]
        for array, value in zip(arrays, sample, strict=True):
            if value.shape != array.shape[1:]:
                raise DataRefused(f"sample {i} has shape {value.shape}, the first one {array.shape[1:]}")
            array[i] = value
    for array in arrays:
        array.flush()
    return tuple(files)
