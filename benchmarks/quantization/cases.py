"""The models of the comparison with their samples: what everybody is given, and the float outputs they are held against.

The samples are those of FACTS' table: CIFAR-10 calibrates on 200 images of train_batch_0 and judges on the 1,000 of test_0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgeq.foreign import quiet
from edgeq.ingest.open_model import open_model
from edgeq.ingest.preprocess import parse
from edgeq.ingest.request import Request
from edgeq.ingest.samples import open_samples
from edgeq.nouns.model import Model
from tests.models import zoo

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


FORMATS = ("onnx", "tflite")


@dataclass(frozen=True)
class Rows:
    """Samples of one input, [n, *shape]; one at a time and with the batch of one, as edgeq reads them."""

    rows: Floats
    labels: npt.NDArray[np.integer] | None = None
    sha256: str = "0" * 64

    @property
    def truth(self) -> Array | None:
        return self.labels

    @property
    def count(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Array, ...]:
        return (self.rows[i : i + 1],)

    def first(self, count: int | None) -> "Rows":
        """The first `count`; None: all."""
        return Rows(self.rows[:count], None if self.labels is None else self.labels[:count], self.sha256)


@dataclass(frozen=True)
class Case:
    """`models` by format, as edgeq opened them; `published` is the ONNX file that its authors gave out, or
    torch's own export. `absent` says why there is no model of a format.
    """

    name: str
    title: str
    models: Mapping[str, Model]
    published: Path
    calibration: Rows
    judged: Rows
    absent: Mapping[str, str] = field(default_factory=dict)

    def file(self, format: str) -> Path:
        return Path(self.models[format].files[format])

    def first(self, count: int | None) -> "Case":
        """With the first `count` samples that calibrate and the first `count` that judge; None: all."""
        return replace(self, calibration=self.calibration.first(count), judged=self.judged.first(count))

    def sources(self, format: str) -> tuple[Path, ...]:
        """What a peer is given: the published file, and where it fails on that, edgeq's."""
        own = (self.file(format),)
        return (self.published, *own) if format == "onnx" else own


@dataclass(frozen=True)
class _Source:
    title: str
    model: str
    weights: str | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    return tuple(_SOURCES)


def prepare(name: str, data: Path, folder: Path, cache: Path, formats: tuple[str, ...] = FORMATS) -> Case:
    """Opens model `name` of `data` in `folder`; `cache` keeps the converter to TFLite. Raises EdgeqError."""
    source, (calibration, judged) = _SOURCES[name], _SAMPLES[name](data, folder)
    path = source.model if source.weights else str(data / source.model)
    models: dict[str, Model] = {}
    absent: dict[str, str] = {}
    for format in formats:
        opened = open_model(
            Request(
                path,
                workdir=folder / format,
                name=name,
                weights=data / source.weights if source.weights else None,
                shapes=source.shapes,
                formats=(format,),
                example=(calibration.rows[:1],),
                cache=cache,
            )
        )
        if format in opened.files:
            models[format] = opened
        else:
            absent[format] = opened.absent.get(format, "not made")
    published = Path(path) if source.weights is None else _exported(source, data, folder, calibration)
    return Case(name, source.title, models, published, calibration, judged, absent)


def _exported(source: _Source, data: Path, folder: Path, calibration: Rows) -> Path:
    """What torch makes of its own model: peers are given it as a user of theirs would."""
    import torch

    from tests.models import resnet_cifar

    path = folder / "exported.onnx"
    if not path.is_file():
        net = getattr(resnet_cifar, source.model.rpartition(":")[2])()
        stored = torch.load(data / str(source.weights), weights_only=True, map_location="cpu")["state_dict"]
        net.load_state_dict({key.removeprefix("module."): value for key, value in stored.items()})
        example = (torch.from_numpy(calibration.rows[:1]),)
        with quiet():
            torch.onnx.export(net.eval(), example, str(path), dynamo=True, external_data=False, verbose=False)
    return path


def _cifar(normalised: bool) -> Callable[[Path, Path], tuple[Rows, Rows]]:
    def samples(data: Path, folder: Path) -> tuple[Rows, Rows]:
        calibration, _ = zoo.cifar(data, ("train_batch_0",))
        judged, labels = zoo.cifar(data, ("test_0",))
        return Rows(pixels(calibration[:200])), Rows(pixels(judged), labels)

    def pixels(images: Array) -> Floats:
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        values = (images / 255.0 - mean) / std if normalised else images
        return np.ascontiguousarray(values.astype(np.float32).transpose(0, 3, 1, 2))

    return samples


def _keywords(data: Path, folder: Path) -> tuple[Rows, Rows]:
    zoo.prepare("kws", data, folder / "samples")
    with np.load(folder / "samples" / "kws.npz") as stored:
        rows, labels = np.ascontiguousarray(stored["t0"]), stored["labels"]
    return Rows(rows[:100]), Rows(rows[100:], labels[100:])


def _digits(data: Path, folder: Path) -> tuple[Rows, Rows]:
    zoo.prepare("mnist", data, folder / "samples")
    with np.load(folder / "samples" / "mnist.npz") as stored:
        judged = Rows(stored["x"], stored["labels"])
    with Image.open(data / "mnist" / "train_batch_0.png") as image:
        pixels = np.asarray(image).reshape(-1, 1, 28, 28)[:200]
    return Rows(((pixels / 255.0 - 0.1307) / 0.3081).astype(np.float32)), judged


def _photos(data: Path, folder: Path) -> tuple[Rows, Rows]:
    """The first 100 of 500 calibrate. Decoded once: the folder keeps the array."""
    kept = folder / "samples" / "photos.npz"
    if not kept.is_file():
        entry = zoo.prepare("mobilenet_v2", data, folder / "samples")
        recipe = parse(entry.words[entry.words.index("--preprocess") + 1])
        model = open_model(
            Request(
                str(data / _SOURCES["mobilenet_v2"].model),
                workdir=folder / "onnx",
                name="mobilenet_v2",
                shapes=_SOURCES["mobilenet_v2"].shapes,
            )
        )
        found = open_samples(str(folder / "samples" / "imagenet"), inputs=model.inputs, preprocessing=recipe)
        rows = np.concatenate([found[i][0] for i in range(found.count)]).astype(np.float32)
        np.savez(kept, rows=rows, labels=np.array(found.labels))
    with np.load(kept) as stored:
        rows, labels = stored["rows"], stored["labels"]
    return Rows(rows[:100]), Rows(rows[100:], labels[100:])


_RESNET = "cifar10/resnet_torch/resnet"
_SOURCES = {
    "resnet20": _Source(
        "ResNet-20", f"{zoo.MODELS / 'resnet_cifar.py'}:resnet20", f"{_RESNET}20-12fca82f.th"
    ),
    "resnet56": _Source(
        "ResNet-56", f"{zoo.MODELS / 'resnet_cifar.py'}:resnet56", f"{_RESNET}56-4bfd9763.th"
    ),
    "resnet8": _Source("MLPerf ResNet-8", "mlperf_tiny/results1.2_pretrainedResnet.onnx"),
    "kws": _Source(
        "keyword spotting",
        "mlperf_tiny/derived_kws_ref_model_dequantised_float.onnx",
        shapes={"t0": (1, 1, 49, 10)},
    ),
    "mnist": _Source("MNIST", "mnist/mnist_burn_opset16.onnx"),
    "mobilenet_v2": _Source(
        "MobileNetV2",
        "imagenet/derived_mobilenet_v2_1.0_224_float.onnx",
        shapes={"t0": (1, 3, 224, 224)},
    ),
}
_SAMPLES: dict[str, Callable[[Path, Path], tuple[Rows, Rows]]] = {
    "resnet20": _cifar(normalised=True),
    "resnet56": _cifar(normalised=True),
    "resnet8": _cifar(normalised=False),
    "kws": _keywords,
    "mnist": _digits,
    "mobilenet_v2": _photos,
}
