"""A trained file as a .tflite file, and the integers of all its tensors as LiteRT computes them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from edgeq.conversion.trained_tflite import converted
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.tflite import kind_of, packed, producers_of, read_model
from edgeq.graphs.tflite_session import open_interpreter
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Scheme
from edgeq.quantize.evaluate.gate import Gate
from edgeq.quantize.made import Made
from edgeq.quantize.make import make
from edgeq.quantize.same_values import same_values
from edgeq.quantize.trained.float_graph import float_graph
from edgeq.train.quantized_network import QuantizedNetwork
from tests.quantize.networks import saved
from tests.train.a_training import trained_file

TRAINED = CandidatePlan(
    "litert-trained_static", "litert", "trained_static", "tflite", "", scheme=Scheme("int8", "int8", True)
)


@dataclass(frozen=True)
class Files:
    """The QDQ file `trained`, its float graph in both formats, and the candidate that was made of them."""

    trained: onnx.ModelProto
    floats: Path
    model: Model
    made: Made


def made_of(trained: onnx.ModelProto, floats: onnx.ModelProto, samples, folder: Path, cache: Path) -> Files:
    """`floats`: the network before it was trained. `cache` has onnx2tf's environment."""
    model, path = saved(floats, folder), folder / "trained.onnx"
    onnx.save(trained, path)
    tflite = str(converted(trained, model, folder, cache, lambda said: None))
    files = {**model.files, "tflite": tflite}
    model = replace(model, files=files, networks=(trained_file(path, tflite),))
    onnx.save(float_graph(trained), folder / "trained_float.onnx")
    made = make(TRAINED, model, samples, samples, same_samples=True, gate=Gate(), workdir=folder / "w")
    return Files(trained, folder / "trained_float.onnx", model, made)


@dataclass(frozen=True)
class Integers:
    """Of a tensor, in its own layout, with its scale and zero point."""

    values: np.ndarray
    scale: float
    zero_point: int


def litert_integers(path: Path, images: np.ndarray) -> dict[str, Integers]:
    """By tensor; without the copies of one in another's scale, that a join reads."""
    model = read_model(path)
    graph = model.subgraphs[0]
    makers = producers_of(graph)
    found = [
        i for i, maker in makers.items() if _is_int8(graph, i) and not _is_converted(model, graph, maker)
    ]
    graph.outputs, model.signatureDefs = found, None
    interpreter = open_interpreter(packed(model), 1)
    places = [d["index"] for d in interpreter.get_output_details()]
    values: list[list[np.ndarray]] = [[] for _ in found]
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        for each, place in zip(values, places, strict=True):
            each.append(interpreter.get_tensor(place).astype(int))
    integers = {}
    for i, each in zip(found, values, strict=True):
        array = np.concatenate(each)
        q, name = graph.tensors[i].quantization, graph.tensors[i].name.decode()
        integers[name] = Integers(array, float(q.scale[0]), int(q.zeroPoint[0]))
    return integers


def _is_int8(graph, place: int) -> bool:
    return graph.tensors[place].type == 9


def _is_converted(model, graph, maker) -> bool:
    return kind_of(model, maker) == "QUANTIZE" and _is_int8(graph, maker.inputs[0])


def trained_values(trained: onnx.ModelProto, images: np.ndarray) -> dict[str, np.ndarray]:
    """By tensor that the trained network quantizes, what its integers stand for."""
    index = index_of(trained.graph)
    made = [n for n in index.nodes if n.op_type == "DequantizeLinear" and n.input[0] not in index.constants]
    pairs = {q.input[0]: n for n in made if (q := index.producer(n.input[0])).op_type == "QuantizeLinear"}
    outputs = [n.output[0] for n in pairs.values()]
    network = QuantizedNetwork(trained, {}, outputs=outputs, runtime="litert").eval()
    with torch.no_grad():
        values = [network(batch) for batch in torch.from_numpy(images).split(32)]
    arrays = [torch.cat(each).numpy() for each in zip(*values, strict=True)]
    return dict(zip(pairs, arrays, strict=True))


def _difference(theirs: np.ndarray, own: np.ndarray) -> np.ndarray:
    """In the layout in which it is smaller: LiteRT's channels are last or first."""
    layouts = [theirs] if theirs.ndim != 4 else [theirs, theirs.transpose(0, 3, 1, 2)]
    fitting = [np.abs(each - own) for each in layouts if each.shape == own.shape]
    fitting = fitting or [np.abs(theirs.reshape(own.shape) - own)]
    return min(fitting, key=np.sum)


def compared(files: Files, images: np.ndarray) -> dict[str, np.ndarray]:
    """By tensor of the .tflite file that the trained network has too: by how many steps they differ."""
    theirs, own = litert_integers(files.made.path, images), trained_values(files.trained, images)
    same = same_values(files.floats, Path(files.model.networks[0].tflite), (images[:1],))
    found = {}
    for name, integers in theirs.items():
        partners = same.get(name.removesuffix("_quantized"), frozenset()) & own.keys()
        differences = [each for partner in partners for each in _differences(integers, own[partner])]
        if differences:  # layouts differ, and so may the shapes of those that have the same values
            found[name] = min(differences, key=np.sum)
    return found


def _differences(integers: Integers, own: np.ndarray) -> list[np.ndarray]:
    """In both layouts, as far as the shapes allow it."""
    theirs = integers.values
    steps = np.rint(own / np.float32(integers.scale)).astype(int) + integers.zero_point
    layouts = [theirs, theirs.transpose(0, 3, 1, 2)] if theirs.ndim == 4 else [theirs]
    fitting = [np.abs(each - steps) for each in layouts if each.shape == steps.shape]
    if fitting or theirs.squeeze().shape != steps.squeeze().shape:
        return fitting
    return [np.abs(theirs.reshape(steps.shape) - steps)]
