"""Layers of a QDQ file below 8 bits: few levels for their weights, and a Clip on integers that leaves their input few.

Integers stay int8 and uint8, so every runtime computes such a file by its int8 kernels: it is smaller once it is compressed, and
not faster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.quantize.numerics import Granularity, Grid, QuantParams, affine, dequantize, quantize
from edgeq.quantize.numerics.level_kinds import MOST, other_levels, uniform_levels
from edgeq.quantize.passes.int16_saturation import MAX_PAIR_SUM
from edgeq.quantize.run_model import values_of
from edgeq.quantize.samples import SamplesLike
from edgeq.train.sites import WeightSite, array_of, sites_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Floats = npt.NDArray[np.float32]

_SHRINKS = np.linspace(
    0.05, 1.0, 96
)  # of a range: few levels are better spent on the many values than on the largest
_MOST_VALUES = 2**18  # that a scale is chosen by


@dataclass(frozen=True)
class Bits:
    """Of a layer's weights, whose `levels` are a kind of edgeq/nouns/weight_levels.py, and of its input; 8 changes nothing."""

    weights: int = 8
    activations: int = 8
    levels: str = UNIFORM


def with_low_bits(
    model: "ModelProto",
    floats: Mapping[str, Floats],
    bits: Mapping[str, Bits],
    samples: SamplesLike,
    threads: int = 1,
    *,
    limited: bool = False,
) -> "ModelProto":
    """A copy of a QDQ file in which the layers of `bits`, by node, have so many. `floats`: by name the weights of the float graph.
    `limited`: weights have a limit in pairs (pair_limit.py). Scales have the least squared error: of weights per channel, of inputs on `samples`.
    """
    low = copied(model)
    sites = [site for site in sites_of(model).weights if site.layer in bits]
    narrow = {s.layer: bits[s.layer].activations for s in sites if bits[s.layer].activations < 8}
    _narrow_inputs(low, narrow, samples, threads)
    for site in sites:
        if bits[site.layer].weights < 8:
            _put_weights(low, site, floats[site.name], bits[site.layer], largest_level(limited))
    put_bias_scales(low)
    return low


def weight_grid(bits: int) -> Grid:
    """The integers of weights: -2^(bits-1) to 2^(bits-1) - 1, as LSQ has them; 8 bits leave out -128, as the writers do."""
    return Grid(bits, signed=True, narrow_range=bits == 8)


def largest_level(limited: bool) -> int:
    """In pairs of it no sum overflows, where they have a limit. Only a codebook has levels that are larger."""
    return MAX_PAIR_SUM // 2 if limited else MOST


def _put_weights(model: "ModelProto", site: WeightSite, weights: Floats, bits: Bits, most: int) -> None:
    if bits.levels == UNIFORM:
        scale = uniform_levels(weights, bits.weights, site.axis).scale
        grid = weight_grid(bits.weights)
        params = QuantParams(scale, np.zeros(scale.shape, np.int32), grid, Granularity(site.axis))
        integers = quantize(weights, params).astype(np.int8)
    else:
        on_int8 = other_levels(weights, bits.levels, bits.weights, site.axis, most)
        integers, scale = on_int8(on_int8.levels.nearest(weights)), on_int8.scale
    _replace(model, site.integers, integers)
    _replace(model, site.scale, scale.reshape(array_of(index_of(model.graph), site.scale).shape))


def put_bias_scales(model: "ModelProto") -> None:
    """That of the input times that of the weights, as integer kernels take it; the bias keeps its value."""
    index = index_of(model.graph)
    for site in sites_of(model).weights:
        if site.bias is None or not site.input_scale:
            continue
        old, integers = array_of(index, site.bias.scale), array_of(index, site.bias.integers)
        new = (
            (array_of(index, site.input_scale) * array_of(index, site.scale))
            .astype(np.float32)
            .reshape(old.shape)
        )
        if np.array_equal(old, new):
            continue
        whole = np.round(integers * old.astype(np.float64) / new)
        limits = np.iinfo(np.int32)
        _replace(model, site.bias.integers, np.clip(whole, limits.min, limits.max).astype(np.int32))
        _replace(model, site.bias.scale, new)


def _narrow_inputs(
    model: "ModelProto", layers: Mapping[str, int], samples: SamplesLike, threads: int
) -> None:
    if not layers:
        return
    index = index_of(model.graph)
    dtype = _activation_type(index)
    nodes = {n.name: n for n in index.nodes}
    inputs = list(dict.fromkeys((nodes[name].input[0], bits) for name, bits in layers.items()))
    values = dict(
        zip(inputs, _values(model, [tensor for tensor, _ in inputs], samples, threads), strict=True)
    )
    for tensor, bits in inputs:
        readers = [nodes[name] for name, b in layers.items() if nodes[name].input[0] == tensor and b == bits]
        params = _range_of(values[tensor, bits], bits)
        pair = _own_pair(index, tensor, readers)
        if pair is None:
            name = f"{tensor}_{bits}bit"
            model.graph.node.extend(_quantizers(model, tensor, name, params, bits, dtype))
            for reader in readers:
                reader.input[0] = f"{name}_DequantizeLinear_Output"
        else:
            _narrow(model, *pair, params, bits, dtype)


def _own_pair(
    index: OnnxIndex, tensor: str, readers: Sequence["NodeProto"]
) -> "tuple[NodeProto, NodeProto] | None":
    """The Q and DQ that make `tensor`, where nothing but `readers` reads what they make."""
    dequantize = index.producer(tensor)
    quantize = (
        index.producer(dequantize.input[0])
        if dequantize is not None and dequantize.op_type == "DequantizeLinear"
        else None
    )
    if dequantize is None or quantize is None or quantize.op_type != "QuantizeLinear":
        return None
    alone = len(index.uses(tensor)) == len(readers) and not index.is_read_elsewhere(tensor)
    return (quantize, dequantize) if alone and index.only_consumer(quantize.output[0]) is dequantize else None


def _narrow(
    model: "ModelProto",
    quantize: "NodeProto",
    dequantize: "NodeProto",
    params: QuantParams,
    bits: int,
    dtype: str,
) -> None:
    name = f"{quantize.input[0]}_{bits}bit"
    new = _quantizers(model, quantize.input[0], name, params, bits, dtype)
    quantize.input[1:] = new[0].input[1:]
    new[1].input[0] = quantize.output[0]
    dequantize.input[:] = new[2].input
    model.graph.node.append(new[1])


def _quantizers(
    model: "ModelProto", tensor: str, name: str, params: QuantParams, bits: int, dtype: str
) -> "list[NodeProto]":
    """QuantizeLinear, Clip on integers and DequantizeLinear; their constants are added to `model`."""
    lowest = int(np.iinfo(dtype).min)
    constants = {
        "scale": np.asarray(params.scale, np.float32).reshape(()),
        "zero_point": np.asarray(int(params.zero_point) + lowest, dtype),
        "lowest": np.asarray(lowest, dtype),
        "highest": np.asarray(lowest + 2**bits - 1, dtype),
    }
    for what, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(value, f"{name}_{what}"))
    scaled = [f"{name}_scale", f"{name}_zero_point"]

    def node(op: str, inputs: list[str]) -> "NodeProto":
        return helper.make_node(op, inputs, [f"{name}_{op}_Output"], name=f"{name}_{op}")

    return [
        node("QuantizeLinear", [tensor, *scaled]),
        node("Clip", [f"{name}_QuantizeLinear_Output", f"{name}_lowest", f"{name}_highest"]),
        node("DequantizeLinear", [f"{name}_Clip_Output", *scaled]),
    ]


def _range_of(values: Floats, bits: int) -> QuantParams:
    """On a grid without sign, whose zero point the caller moves to its type."""
    low, high, grid = float(values.min()), float(values.max()), Grid(bits, signed=False)
    tried = [affine(low * shrink, high * shrink, grid) for shrink in _SHRINKS]
    errors = [np.square(dequantize(quantize(values, p), p) - values).sum(dtype=np.float64) for p in tried]
    return tried[int(np.argmin(errors))]


def _values(
    model: "ModelProto", tensors: Sequence[str], samples: SamplesLike, threads: int
) -> Iterator[Floats]:
    """Of each tensor, evenly spaced ones over all samples."""
    most = max(_MOST_VALUES // samples.count, 1)
    found: list[list[Any]] = [[] for _ in tensors]
    for arrays in values_of(model, tensors, samples, threads):
        for kept, array in zip(found, arrays, strict=True):
            flat = array.ravel()
            kept.append(flat[:: -(-flat.size // most)])
    return (np.concatenate(kept).astype(np.float32) for kept in found)


def _activation_type(index: OnnxIndex) -> str:
    quantizers = (n for n in index.nodes if n.op_type == "QuantizeLinear")
    return str(array_of(index, next(quantizers).input[2]).dtype)


def _replace(model: "ModelProto", name: str, array: npt.NDArray[Any]) -> None:
    stored = next(t for t in model.graph.initializer if t.name == name)
    stored.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), name))
