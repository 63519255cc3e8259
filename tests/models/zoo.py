"""The real models of shared/data, each ready to be given to edgeq: what to type, with its data as a user would have it.

Used by the end-to-end tests and by benchmarks/models.py. Nothing of the data is ever copied into the checkout.
"""

import gzip
import wave
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MODELS = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """`words` follow `edgeq deploy`; `classifier` says that accuracy within half a point of float is promised."""

    name: str
    words: tuple[str, ...]
    classifier: bool


def names() -> tuple[str, ...]:
    return tuple(_MAKERS)


def prepare(name: str, data: Path, into: Path) -> Entry:
    """Writes the samples of model `name` below `into`; `data` is the folder shared/data."""
    into.mkdir(parents=True, exist_ok=True)
    return _MAKERS[name](data, into)


def _resnet(blocks: str, weights: str) -> Callable[[Path, Path], Entry]:
    def make(data: Path, into: Path) -> Entry:
        images, labels = cifar(data, batches=("test_0",))
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        x = ((images / 255.0 - mean) / std).astype(np.float32).transpose(0, 3, 1, 2)
        path = _save(into, "cifar", x=x, labels=labels)
        source = f"{MODELS / 'resnet_cifar.py'}:{blocks}"
        checkpoint = data / "cifar10" / "resnet_torch" / weights
        return Entry(blocks, (source, "--weights", str(checkpoint), "--data", path), classifier=True)

    return make


def _resnet8(data: Path, into: Path) -> Entry:
    images, labels = cifar(data, batches=("test_0",))
    path = _save(into, "resnet8", input_1=images.astype(np.float32).transpose(0, 3, 1, 2), labels=labels)
    model = data / "mlperf_tiny" / "results1.2_pretrainedResnet.onnx"
    return Entry("resnet8", (str(model), "--name", "resnet8", "--data", path), classifier=True)


def _keywords(data: Path, into: Path) -> Entry:
    stored = np.load(data / "mlperf_tiny" / "kws01.npz")
    x = (stored["x"].astype(np.float32) - 83) * np.float32(0.5847029089927673)
    path = _save(into, "kws", t0=x.transpose(0, 3, 1, 2), labels=stored["y"])
    model = data / "mlperf_tiny" / "derived_kws_ref_model_dequantised_float.onnx"
    return Entry("kws", (str(model), "--name", "kws", "--data", path), classifier=True)


def _mnist(data: Path, into: Path) -> Entry:
    folder = data / "mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 1, 28, 28)[:2000]
    x = ((images / 255.0 - 0.1307) / 0.3081).astype(np.float32)
    path = _save(into, "mnist", x=x, labels=np.frombuffer(labels, np.uint8)[:2000].astype(np.int64))
    return Entry(
        "mnist", (str(folder / "mnist_burn_opset16.onnx"), "--name", "mnist", "--data", path), classifier=True
    )


def _mobilenet(data: Path, into: Path) -> Entry:
    folder = into / "imagenet"
    lines = (data / "imagenet" / "synset_words.txt").read_text().splitlines()
    index = {line.split()[0]: i + 1 for i, line in enumerate(lines)}  # 0 is the background class
    with zipfile.ZipFile(data / "imagenet" / "images_500.zip") as archive:
        archive.extractall(folder)
    images = sorted(p.name for p in folder.glob("*.JPEG"))
    rows = [f"{name},{index[name.partition('_')[0]]}" for name in images]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    model = data / "imagenet" / "derived_mobilenet_v2_1.0_224_float.onnx"
    recipe = "size=224x224,resize=short_side:256,mean=128,std=128"
    words = (str(model), "--name", "mobilenet_v2", "--shape", "t0=1,3,224,224", "--data", str(folder))
    return Entry("mobilenet_v2", (*words, "--preprocess", recipe), classifier=True)


def _ultraface(data: Path, into: Path) -> Entry:
    model = data / "faces" / "ultraface_version-RFB-320.onnx"
    folder = data / "faces" / "images"
    words = (str(model), "--name", "ultraface", "--data", str(folder), "--preprocess")
    return Entry("ultraface", (*words, "size=240x320,mean=127,std=128"), classifier=False)


def _fastestdet(data: Path, into: Path) -> Entry:
    with zipfile.ZipFile(data / "detection" / "coco_val2017_64.zip") as archive:
        archive.extractall(into / "coco")
    model = data / "detection" / "FastestDet_coco_352.onnx"
    words = (str(model), "--name", "fastestdet", "--data", str(into / "coco" / "images"), "--preprocess")
    return Entry("fastestdet", (*words, "size=352x352,channels=BGR,scale=1/255"), classifier=False)


def _silero(data: Path, into: Path) -> Entry:
    model = data / "silero_vad" / "silero_vad_16k_op15.onnx"
    frames = list(_speech(model, data / "silero_vad" / "test.wav", 600))
    stacked = {key: np.stack([frame[key] for frame in frames]) for key in ("input", "state", "sr")}
    path = _save(into, "silero", **stacked)
    words = (str(model), "--name", "silero_vad", "--data", path)
    return Entry(
        "silero_vad", (*words, "--shape", "input=1,576", "--shape", "state=2,1,128"), classifier=False
    )


def _speech(model: Path, recording: Path, count: int) -> Iterator[dict[str, np.ndarray]]:
    """Frames of 512 samples with 64 of context, each with the state that the frames before it left."""
    import onnxruntime

    with wave.open(str(recording)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    session = onnxruntime.InferenceSession(str(model))
    state, rate = np.zeros((2, 1, 128), np.float32), np.array(16000, np.int64)
    for start in range(64, 64 + 512 * count, 512):
        feed = {"input": sound[None, start - 64 : start + 512], "state": state, "sr": rate}
        yield feed
        state = session.run(None, feed)[1]


def cifar(data: Path, batches: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 32, 32, 3] and labels [n]; `batches` are "test_0" and "train_batch_0" to "train_batch_19"."""
    from PIL import Image

    folder = data / "cifar10" / "images"
    images = [np.asarray(Image.open(folder / f"{b}.png")).reshape(1000, 32, 32, 3) for b in batches]
    labels = [_cifar_labels(folder, *b.rsplit("_", 1)) for b in batches]
    return np.concatenate(images), np.concatenate(labels).astype(np.int64)


def _cifar_labels(folder: Path, kind: str, number: str) -> np.ndarray:
    if kind == "test":
        return np.load(folder / "labels_test_0.npy")[:1000]
    first = 0 if int(number) < 5 else 5
    stored = np.load(folder / f"labels_train_{'0to4' if first == 0 else '5to19'}.npy")
    return stored[1000 * (int(number) - first) : 1000 * (int(number) - first + 1)]


def _save(into: Path, name: str, **arrays: np.ndarray) -> str:
    path = into / f"{name}.npz"
    np.savez(path, **arrays)
    return str(path)


_MAKERS: dict[str, Callable[[Path, Path], Entry]] = {
    "resnet20": _resnet("resnet20", "resnet20-12fca82f.th"),
    "resnet56": _resnet("resnet56", "resnet56-4bfd9763.th"),
    "resnet8": _resnet8,
    "kws": _keywords,
    "mnist": _mnist,
    "mobilenet_v2": _mobilenet,
    "ultraface": _ultraface,
    "fastestdet": _fastestdet,
    "silero_vad": _silero,
}
