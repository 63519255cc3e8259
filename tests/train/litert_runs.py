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


def litert_integers(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """By tensor, channels first."""
    model = read_model(path)
    graph = model.subgraphs[0]
    makers = producers_of(graph)
    found = [i for i in makers if graph.tensors[i].type == 9]  # int8
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
        last = array.ndim == 4 and kind_of(model, makers[i]) != "QUANTIZE"
        integers[graph.tensors[i].name.decode()] = array.transpose(0, 3, 1, 2) if last else array
    return integers


def trained_integers(trained: onnx.ModelProto, images: np.ndarray) -> dict[str, np.ndarray]:
    """By tensor that the trained network quantizes, as signed integers."""
    index = index_of(trained.graph)
    made = [n for n in index.nodes if n.op_type == "DequantizeLinear" and n.input[0] not in index.constants]
    pairs = {q.input[0]: n for n in made if (q := index.producer(n.input[0])).op_type == "QuantizeLinear"}
    outputs = [n.output[0] for n in pairs.values()]
    network = QuantizedNetwork(trained, {}, outputs=outputs, runtime="litert").eval()
    with torch.no_grad():
        values = [network(batch) for batch in torch.from_numpy(images).split(32)]
    arrays = [torch.cat(each).numpy() for each in zip(*values, strict=True)]
    found = {}
    for (name, node), array in zip(pairs.items(), arrays, strict=True):
        scale, zero = (onnx.numpy_helper.to_array(index.constants[n]) for n in node.input[1:3])
        found[name] = np.rint(array / scale).astype(int) + int(zero)
    return found


def compared(files: Files, images: np.ndarray) -> dict[str, np.ndarray]:
    """By tensor of the .tflite file that the trained network has too: by how many steps they differ."""
    theirs, own = litert_integers(files.made.path, images), trained_integers(files.trained, images)
    same = same_values(files.floats, Path(files.model.networks[0].tflite), (images[:1],))
    found = {}
    for name, integers in theirs.items():
        partners = same.get(name.removesuffix("_quantized"), frozenset()) & own.keys()
        for partner in list(partners)[:1]:
            if integers.shape == own[partner].shape:
                found[name] = np.abs(integers - own[partner])
    return found
