"""A network of tests/models/kinds.py, trained some steps, in torch and on both runtimes: how many of all its integers are equal."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from edgeq.graphs.float_graph import read
from edgeq.graphs.ort_session import ort_session
from edgeq.graphs.stages import ending_at
from edgeq.ingest.open_model import open_model
from edgeq.ingest.request import Request
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort.qdq import emitted
from edgeq.quantize.calibration.calibrate import calibrate_onnx, ranges_of
from edgeq.train.low_bit_layers import low_bit_layers
from edgeq.train.low_bits import Bits, with_low_bits
from edgeq.train.quantized_network import QuantizedNetwork
from edgeq.train.relative_adam import RelativeAdam
from tests.models import kinds
from tests.train.litert_runs import compared, made_of
from tests.train.residual_network import S8, U8, Images, weights_of

_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@dataclass(frozen=True)
class Network:
    """`trained`: the QDQ file; `floats` that it was made of. `rows`: images that it did not learn."""

    trained: onnx.ModelProto
    floats: onnx.ModelProto
    rows: np.ndarray


@dataclass(frozen=True)
class Equal:
    """Of the tensor that fits worst, and of the outputs: the share of integers that are equal. `most`: steps apart, of any."""

    worst: float
    outputs: float
    most: int


def pixels(count: int) -> np.ndarray:
    """Images [N, 3, 32, 32] of whole pixel values, smooth and noisy, normalized as usual."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 180, (count, 3, 4, 4)).repeat(8, 2).repeat(8, 3)
    values = (coarse + random.integers(0, 76, (count, 3, kinds.SIZE, kinds.SIZE))) / 255
    return np.asarray((values - _MEAN[:, None, None]) / _STD[:, None, None], np.float32)


def network(kind: str, scheme: Scheme, folder: Path, bits: int = 8) -> Network:
    """After two steps that move weights, scales and biases a little."""
    example = (np.zeros((1, 3, kinds.SIZE, kinds.SIZE), np.float32),)
    source = Request(f"{kinds.__file__}:{kind}", workdir=folder, example=example)
    floats, rows = read(Path(open_model(source).files["onnx"])), pixels(64)
    samples, weights = Images(rows[:32], None), weights_of(floats)
    file = emitted(floats, scheme, ranges_of(calibrate_onnx(floats, samples, histogram=False), "minmax"))[0]
    low = low_bit_layers(file, Bits(bits, 8))
    file = with_low_bits(file, weights, low, samples) if low else file
    learning = QuantizedNetwork(file, weights, low).train()
    optimizer = RelativeAdam(learning.parameters_with_units(), 0.002)
    for batch in torch.from_numpy(rows[:32]).split(16):
        optimizer.zero_grad()
        learning(batch)[0].logsumexp(1).mean().backward()
        optimizer.step()
    return Network(learning.eval().model(), floats, rows[32:])


def on_onnxruntime(kind: str, folder: Path, bits: int = 8) -> Equal:
    """With unsigned activations, x86's: signed ones it computes as written on ARM alone."""
    made = network(kind, U8, folder, bits)
    index = {node.input[0]: node for node in made.trained.graph.node if node.op_type == "DequantizeLinear"}
    stored = weights_of(made.trained)
    pairs = {name: node for name, node in index.items() if name not in stored}
    inside = QuantizedNetwork(made.trained, {}, outputs=[node.output[0] for node in pairs.values()]).eval()
    with torch.no_grad():
        values = inside(torch.from_numpy(made.rows))
    session = ort_session(ending_at(made.trained, [*pairs]), threads=1)
    given = session.get_inputs()[0].name
    theirs = zip(*(session.run(None, {given: row[None]}) for row in made.rows), strict=True)
    steps = []
    for node, mine, each in zip(pairs.values(), values, theirs, strict=True):
        scale, zero = (stored[name] for name in node.input[1:3])
        own = np.rint(mine.numpy() / scale).astype(int) + int(zero)
        steps.append(np.abs(own - np.stack(each).astype(int).reshape(own.shape)))
    return _equal(steps)


def on_litert(kind: str, folder: Path, cache: Path, bits: int = 8) -> Equal:
    made = network(kind, S8, folder, bits)
    files = made_of(made.trained, made.floats, Images(made.rows, None), folder, cache)
    return _equal([*compared(files, made.rows).values()])


def _equal(steps: list[np.ndarray]) -> Equal:
    """The outputs come last."""
    shares = [float(np.mean(each == 0)) for each in steps]
    return Equal(min(shares), shares[-1], max(int(each.max()) for each in steps))
