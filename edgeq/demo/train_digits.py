"""Makes digits_cnn.onnx and digits.npz, both beside this file: `python -m edgeq.demo.train_digits`.

Needs torch and scikit-learn. The digits are scikit-learn's 1,797 images of 8x8 pixels with values 0..16: the test part of
"Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0.
They lie in the order of their 13 writers, so a split by position separates writers: the first 997 train, the last 800 are
held out and become digits.npz.

Training is in float64 on one thread with fixed seeds, and weights are rounded to WEIGHT_BITS bits of mantissa: what other
CPUs do differently in their last bits is far below the rounding, so that the script makes an equal model elsewhere.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from onnx import ModelProto

TRAINED_ON = 997
EPOCHS = 6
BATCH = 64
WEIGHT_BITS = 12
LARGEST_PIXEL = 16.0
OPSET = 13


def main(folder: Path = Path(__file__).parent) -> None:
    images, labels = digits()
    weights = train(*with_shifts(images[:TRAINED_ON], labels[:TRAINED_ON]))
    (folder / "digits_cnn.onnx").write_bytes(to_onnx(weights).SerializeToString(deterministic=True))
    np.savez_compressed(folder / "digits.npz", image=images[TRAINED_ON:], labels=labels[TRAINED_ON:])


def digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8 [1797, 1, 8, 8] with values 0..16, and uint8 labels 0..9."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    found = load_digits()
    return found.images.astype(np.uint8)[:, None], found.target.astype(np.uint8)


def with_shifts(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each digit as it is and once moved by up to one pixel each way: worth 4 points on writers never seen."""
    moves = np.random.default_rng(1).integers(0, 3, (len(images), 2))
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = [frame[:, y : y + 8, x : x + 8] for frame, (y, x) in zip(framed, moves, strict=True)]
    return np.concatenate([images, np.stack(moved)]), np.concatenate([labels, labels])


def train(images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Weights by the names they have in the graph, rounded, for pixels 0..16 as they are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = _network().double()
        _initialise(model)
        _fit(
            model,
            torch.from_numpy(images.astype(np.float64) / LARGEST_PIXEL),
            torch.from_numpy(labels.astype(np.int64)),
        )
    finally:
        torch.set_num_threads(threads)
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    weights["conv1.weight"] = weights["conv1.weight"] / LARGEST_PIXEL
    return {name: rounded(value) for name, value in weights.items()}


def _network() -> "torch.nn.Module":
    """3.6 million multiplications per digit: enough for integer kernels to show."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(1, 32, 3, padding=1),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, 3, padding=1),
            relu2=nn.ReLU(),
            conv3=nn.Conv2d(64, 64, 3, padding=1),
            relu3=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            classes=nn.Linear(1024, 10),
        )
    )


def _initialise(model: "torch.nn.Module") -> None:
    """He's uniform initialisation, drawn by numpy: torch draws other numbers on CPUs with other vector units."""
    import torch

    rng = np.random.default_rng(0)
    for name, value in model.named_parameters():
        bound = np.sqrt(6 / value[0].numel()) if name.endswith("weight") else 0.0
        with torch.no_grad():
            value.copy_(torch.from_numpy(rng.uniform(-bound, bound, tuple(value.shape))))


def _fit(model: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor") -> None:
    import torch

    steps = EPOCHS * (len(x) // BATCH)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    shuffle = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x), generator=shuffle).split(BATCH)[: len(x) // BATCH]:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            schedule.step()


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 with WEIGHT_BITS bits of mantissa: the same for values that differ by less, but for rare ties."""
    mantissa, exponent = np.frexp(values)
    kept = np.round(mantissa * 2**WEIGHT_BITS)
    return np.asarray(np.ldexp(kept, exponent - WEIGHT_BITS), dtype=np.float32)


def to_onnx(weights: dict[str, np.ndarray]) -> "ModelProto":
    """The graph, written node by node so that its bytes do not depend on an exporter's version."""
    from onnx import TensorProto, helper, numpy_helper

    def conv(name: str, source: str) -> list[Any]:
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        return [
            helper.make_node("Conv", inputs, [f"{name}.out"], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"{name}.out"], [f"{name}.relu"], f"{name}.relu"),
        ]

    graph = helper.make_graph(
        [
            *conv("conv1", "image"),
            *conv("conv2", "conv1.relu"),
            *conv("conv3", "conv2.relu"),
            helper.make_node(
                "MaxPool", ["conv3.relu"], ["pool"], "pool", kernel_shape=[2, 2], strides=[2, 2]
            ),
            helper.make_node("Flatten", ["pool"], ["flat"], "flatten"),
            helper.make_node(
                "Gemm", ["flat", "classes.weight", "classes.bias"], ["digit"], "classes", transB=1
            ),
        ],
        "digits_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("digit", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model.producer_name = "edgeq.demo.train_digits"
    return model


if __name__ == "__main__":
    main()
