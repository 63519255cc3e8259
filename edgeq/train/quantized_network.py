"""A QDQ file as a torch module that learns: what the device computes, with gradients, and back into the same file.

Weights start inside the rounding interval of the file's integers, so that before the first step the module computes what the
file computes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import attributes, index_of
from edgeq.graphs.stages import ending_at
from edgeq.nouns.weight_levels import CODEBOOK, UNIFORM
from edgeq.train.activation_quantizer import ActivationQuantizer, ObservedQuantizer
from edgeq.train.channel_norm import ChannelNorm, with_norm_nodes
from edgeq.train.codebook_quantizer import CodebookQuantizer
from edgeq.train.fitted_levels import stored_levels, within_cells
from edgeq.train.graph_module import GraphModule
from edgeq.train.kernels.in_graph import kernels
from edgeq.train.level_quantizer import LevelQuantizer
from edgeq.train.low_bits import Bits, largest_level, weight_grid
from edgeq.train.pair_limit import PairLimit
from edgeq.train.quantized_layer import AnyWeights, QuantizedLayer
from edgeq.train.relative_adam import unit_of
from edgeq.train.sites import ActivationSite, WeightSite, array_of, sites_of
from edgeq.train.weight_quantizer import WeightQuantizer

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]

_INSIDE = 0.499  # of a step: on the border itself the division may round the other way
_USUAL = Bits()


class QuantizedNetwork(nn.Module):
    """`model`: a QDQ file of the backend. `floats`: by name the weights of the float graph that it was made of. `bits`, by node,
    of layers below 8 bits (low_bits.py). `outputs`: the tensors that it computes, by default those of the graph. `norms`, by node, of
    layers that have one while they are trained. `limited`: weights have a limit in pairs (pair_limit.py). `kept`, by
    node: the weights that are not zero for good.
    `observed`: scales of activations follow the ranges of what comes, in place of being learned.
    `runtime`: whose kernels' roundings it follows where it is evaluated, onnxruntime's or litert's.
    """

    def __init__(
        self,
        model: "ModelProto",
        floats: Mapping[str, Floats],
        bits: Mapping[str, Bits] | None = None,
        outputs: Sequence[str] = (),
        *,
        norms: Mapping[str, ChannelNorm] | None = None,
        limited: bool = False,
        kept: Mapping[str, npt.NDArray[np.bool_]] | None = None,
        observed: bool = False,
        runtime: str = "onnxruntime",
    ) -> None:
        super().__init__()
        self._model, self._index = model, index_of(model.graph)
        self._nodes = {node.name: node for node in self._index.nodes}
        self._sites, self._bits, self._limited = sites_of(model), bits or {}, limited
        self._runtime, self._kept, self._observed = runtime, kept or {}, observed
        self.activations = nn.ModuleList(self._activation(site) for site in self._sites.activations)
        layers = (self._layer(site, floats, norms or {}) for site in self._sites.weights)
        self.layers = nn.ModuleList(layers)
        self.graph = GraphModule(*self._computed(outputs))
        for name, parameter in self.graph.weights.items():
            parameter.requires_grad_(self._index.initializer(name) is not None and parameter.numel() > 1)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs, [N, ...] each."""
        outputs: tuple[Tensor, ...] = self.graph(*inputs)
        if self.training:
            for activation in self._following():
                activation.settle()
        return outputs

    def norms(self) -> list[ChannelNorm]:
        return [layer.norm for layer in self.layers if layer.norm is not None]

    def freeze_norms(self) -> None:
        """Their statistics stay as they are, and observed ranges too: from now on the network is trained as it will be written."""
        for norm in self.norms():
            norm.freeze()
        for activation in self._following():
            activation.freeze()

    def _following(self) -> list[ObservedQuantizer]:
        return [each for each in self.activations if isinstance(each, ObservedQuantizer)]

    def model(self) -> "ModelProto":
        """The file with what was trained: integers, scales, biases and the weights of layers in float."""
        made = copied(self._model)
        stored = {tensor.name: tensor for tensor in made.graph.initializer}

        def put(name: str, values: Tensor) -> None:
            old = numpy_helper.to_array(stored[name])
            array = np.ascontiguousarray(values.detach().cpu().numpy(), old.dtype).reshape(old.shape)
            stored[name].CopyFrom(numpy_helper.from_array(array, name))

        for name, parameter in self.graph.weights.items():
            if parameter.requires_grad:
                put(name, parameter)
        for site, activation in zip(self._sites.activations, self.activations, strict=True):
            for scale in site.scales:
                put(scale, activation.scale)
        for of_weight, layer in zip(self._sites.weights, self.layers, strict=True):
            put(of_weight.integers, layer.integers())
            put(of_weight.scale, layer.scale)
            if layer.bias is not None and of_weight.bias is not None:
                put(of_weight.bias.integers, layer.bias_integers())
                put(of_weight.bias.scale, layer.bias_scale)
        return made

    def parameters_with_units(self) -> list[tuple[nn.Parameter, Tensor]]:
        """What learns, and the unit of each that RelativeAdam takes: of a scale itself, of weights and codebooks the root mean square of
        their channel, of a bias that of the whole.
        """
        weights = [layer.weight for layer in self.layers]
        books = [q.book for q in weights if isinstance(q, CodebookQuantizer)]
        steps = [q.step for q in (*self.activations, *weights) if not isinstance(q, CodebookQuantizer)]
        steps += [norm.gamma for norm in self.norms()]
        found = [(p, p.detach().clone()) for step in steps for p in step.parameters()]
        found += [(book, unit_of(book, 0)) for book in books]
        found += [
            (layer.weight.weight, unit_of(layer.weight.weight, layer.weight.axis)) for layer in self.layers
        ]
        found += [(layer.bias, unit_of(layer.bias)) for layer in self.layers if layer.bias is not None]
        found += [(norm.beta, norm.gamma().detach().clone()) for norm in self.norms()]
        found += [(p, unit_of(p)) for p in self.graph.weights.values() if p.requires_grad]
        return found

    def _computed(self, outputs: Sequence[str]) -> "tuple[ModelProto, dict[str, nn.Module]]":
        """The graph up to `outputs`, and its replaced nodes."""
        norms = {s.layer: m.norm for s, m in zip(self._sites.weights, self.layers, strict=True) if m.norm}
        model, names = with_norm_nodes(self._model, norms)
        replaced = self._replaced() | {names[layer]: _First(norm) for layer, norm in norms.items()}
        if not outputs:
            return model, replaced
        needed = {node.name for node in index_of(model.graph).ancestors(outputs)}
        return ending_at(model, outputs), {n: module for n, module in replaced.items() if n in needed}

    def _activation(self, site: ActivationSite) -> ActivationQuantizer:
        scale, zero_point = (array_of(self._index, names[0]) for names in (site.scales, site.zero_points))
        if site.learned and self._observed:
            return ObservedQuantizer(float(scale), int(zero_point), site.q_min, site.q_max)
        return ActivationQuantizer(float(scale), int(zero_point), site.q_min, site.q_max, learn=site.learned)

    def _layer(
        self, site: WeightSite, floats: Mapping[str, Floats], norms: Mapping[str, ChannelNorm]
    ) -> QuantizedLayer:
        activation = self._activation_of(site.input_scale)
        bias = None
        if site.bias is not None and activation is not None:
            bias = self._dequantized(site.bias.integers, site.bias.scale)
        pairs = self._pair_limit(site, activation) if self._limited else None
        return QuantizedLayer(self._weight(site, floats), bias, activation, norms.get(site.layer), pairs)

    def _weight(self, site: WeightSite, floats: Mapping[str, Floats]) -> AnyWeights:
        bits = self._bits.get(site.layer, _USUAL)
        if bits.levels != UNIFORM:
            most = largest_level(self._limited)
            integers, scale = (array_of(self._index, name) for name in (site.integers, site.scale))
            levels = stored_levels(integers, scale, site.axis, bits, most)
            weights = torch.from_numpy(within_cells(floats[site.name], integers, levels))
            if bits.levels == CODEBOOK:
                return CodebookQuantizer(weights, levels, most=most)
            return LevelQuantizer(weights, levels)
        grid = weight_grid(bits.weights)
        scale = torch.from_numpy(np.array(array_of(self._index, site.scale), np.float32))
        integers = array_of(self._index, site.integers)
        weight = _within(integers, scale.numpy(), site.axis, floats.get(site.name))
        kept = self._kept.get(site.layer)
        mask = None if kept is None else torch.from_numpy(kept.reshape(weight.shape))
        return WeightQuantizer(torch.from_numpy(weight), scale, site.axis, grid.q_min, grid.q_max, kept=mask)

    def _activation_of(self, scale: str) -> ActivationQuantizer | None:
        found = zip(self._sites.activations, self.activations, strict=True)
        return next((module for site, module in found if scale in site.scales), None)

    def _pair_limit(self, site: WeightSite, activation: ActivationQuantizer | None) -> PairLimit | None:
        """None for a kernel that does not add in pairs, or reads signed activations."""
        node, integers = self._nodes[site.layer], array_of(self._index, site.integers)
        named = attributes(node)
        depthwise = (
            node.op_type == "Conv" and integers.shape[1] == 1 and named.get("group", 1) == len(integers)
        )
        if activation is None or activation.q_min < 0 or depthwise or integers.ndim < 2:
            return None
        return PairLimit(rows_last=node.op_type != "Conv" and not named.get("transB", 0))

    def _dequantized(self, integers: str, scale: str) -> Tensor:
        values = array_of(self._index, integers) * array_of(self._index, scale).astype(np.float64)
        return torch.from_numpy(values.astype(np.float32))

    def _replaced(self) -> dict[str, nn.Module]:
        replaced: dict[str, nn.Module] = {}
        for site, activation in zip(self._sites.activations, self.activations, strict=True):
            replaced.update((name, _First(activation)) for name in site.quantize)
            through = (*site.clip, *site.dequantize, *self._implied_relus(site, activation))
            replaced.update((name, _First()) for name in through)
        replaced |= kernels(self._index, self._sites, self.activations, self.layers, self._runtime)
        for of_weight, layer in zip(self._sites.weights, self.layers, strict=True):
            replaced[of_weight.node] = _Stored(layer, QuantizedLayer.weight_values)
            if layer.bias is not None and of_weight.bias is not None:
                replaced[of_weight.bias.node] = _Stored(layer, QuantizedLayer.bias_values)
        return replaced

    def _implied_relus(self, site: ActivationSite, activation: ActivationQuantizer) -> list[str]:
        """Relus whose work the clip does too."""
        makers = [self._index.producer(self._nodes[name].input[0]) for name in site.quantize]
        return [
            m.name
            for m in makers
            if m is not None
            and m.op_type == "Relu"
            and activation.implies_relu
            and self._index.only_consumer(m.output[0]) is not None
        ]


class _First(nn.Module):
    """The first input alone, as it is or through `module`, one of the network: what a Clip or a DequantizeLinear does is part of
    it.
    """

    def __init__(self, module: nn.Module | None = None) -> None:
        super().__init__()
        self._module = (module,)

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        module = self._module[0]
        return x if module is None else module(x)


class _Stored(nn.Module):
    """What a layer, a module of the network, has in place of a stored constant."""

    def __init__(self, layer: QuantizedLayer, values: Any) -> None:
        super().__init__()
        self._layer, self._values = (layer,), values

    def forward(self, *_: Tensor) -> Tensor:
        return self._values(self._layer[0])


def _within(integers: npt.NDArray[Any], scale: Floats, axis: int | None, weight: Floats | None) -> Floats:
    """`weight`, moved into the interval that rounds to `integers`; without it their own values."""
    step = scale if axis is None else scale.reshape([-1 if k == axis else 1 for k in range(integers.ndim)])
    values = integers.astype(np.float32) * step
    if weight is None or weight.shape != integers.shape:
        return np.asarray(values, np.float32)
    return np.asarray(np.clip(weight, values - _INSIDE * step, values + _INSIDE * step), np.float32)
