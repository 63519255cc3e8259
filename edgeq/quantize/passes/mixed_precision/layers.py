"""The layers that mixed precision may leave in float, their share of the MACs, and what their quantization costs."""

from edgeq.graphs import tflite
from edgeq.graphs.macs import onnx_node_shares, tflite_operator_shares
from edgeq.quantize.evaluate.layer_noise import Noise, onnx_noise, tflite_noise
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.samples import SamplesLike


def is_static(q: Quantization) -> bool:
    """Other methods leave no layer out."""
    return q.method == "static"


def layers_of(q: Quantization) -> tuple[str, ...]:
    """All names that the backend knows to leave in float."""
    if not is_static(q):
        return ()
    if q.format == "onnx":
        return tuple(node.name for node in q.graph.graph.node)
    graph = tflite.read_tflite(q.source)
    return tuple(graph.tensors[op.outputs[0]].name for op in graph.operators if op.outputs)


def macs_shares(q: Quantization) -> dict[str, float]:
    """The share of the multiply-accumulates, 0..1, of each of the layers that has some."""
    shares = onnx_node_shares(q.graph) if q.format == "onnx" else tflite_operator_shares(q.source)
    return {name: share for name, (share, _) in shares.items()}


def noise_of(
    q: Quantization, samples: SamplesLike, context: Context, least_share: float = 0.0
) -> tuple[Noise, ...]:
    """What each quantized layer of the file at the context's path costs (layer_noise.py), worst first. Neighbours that make
    less than `least_share` of all may be given as one.
    """
    if not is_static(q):
        return ()
    threads, progress = context.threads, context.progress
    if q.format == "onnx":
        return onnx_noise(
            q.graph, context.path, samples, threads=threads, progress=progress, least_share=least_share
        )
    return tflite_noise(q.source, context.path, samples, threads=threads, progress=progress)


def noise_on_heldout(q: Quantization, context: Context) -> tuple[Noise, ...]:
    """Of the file without a fit: where one layer is broken, those behind it are fitted to what it left."""
    if is_static(q):
        context.write(q, fitted=False)
    found = context.verdicts.noise(context.path, lambda: noise_of(q, context.heldout, context))
    context.write(q)
    return found
