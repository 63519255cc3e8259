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
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.stages import ending_at
from edgeq.train.activation_quantizer import ActivationQuantizer
from edgeq.train.graph_module import GraphModule
from edgeq.train.low_bits import Bits, weight_grid
from edgeq.train.relative_adam import unit_of
from edgeq.train.sites import ActivationSite, WeightSite, array_of, sites_of
from edgeq.train.weight_quantizer import WeightQuantizer

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = npt.NDArray[np.float32]

_INSIDE = 0.499  # of a step: on the border itself the division may round the other way
_INT32 = np.iinfo(np.int32)
_USUAL = Bits()


class BiasQuantizer(nn.Module):
    """() -> the bias in whole steps of the input's scale times the weight's. bias: float32 [channels]."""

    def __init__(self, bias: Tensor, activation: ActivationQuantizer, weight: WeightQuantizer) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias.detach().clone())
        self._scales = (activation, weight)  # a tuple: they are modules of the network, not of this one

    @property
    def scale(self) -> Tensor:
        """float32, [channels] or []."""
        activation, weight = self._scales
        return activation.scale * weight.scale

    def integers(self) -> Tensor:
        """int64, in the range of int32."""
        steps = (self.bias.detach().double() / self.scale.double()).round()
        return steps.clamp(_INT32.min, _INT32.max).long()

    def forward(self) -> Tensor:
        rounded = (self.integers() * self.scale.double()).to(self.bias.dtype)
        return self.bias + (rounded - self.bias.detach())  # the straight-through estimator


class QuantizedNetwork(nn.Module):
    """`model`: a QDQ file of the backend. `floats`: by name the weights of the float graph that it was made of. `bits`, by node,
    of layers below 8 bits (low_bits.py). `outputs`: the tensors that it computes, by default those of the graph.
    """

    def __init__(
        self,
        model: "ModelProto",
        floats: Mapping[str, Floats],
        bits: Mapping[str, Bits] | None = None,
        outputs: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._model, self._index = model, index_of(model.graph)
        self._sites, self._bits = sites_of(model), bits or {}
        self.activations = nn.ModuleList(self._activation(site) for site in self._sites.activations)
        self.weights = nn.ModuleList(self._weight(site, floats) for site in self._sites.weights)
        by_scale = {
            scale: quantizer
            for site, quantizer in zip(self._sites.activations, self.activations, strict=True)
            for scale in site.scales
        }
        self._biased = tuple(
            (site.bias, k)
            for k, site in enumerate(self._sites.weights)
            if site.bias is not None and site.input_scale in by_scale
        )
        self.biases = nn.ModuleList(
            BiasQuantizer(
                self._dequantized(bias.integers, bias.scale),
                by_scale[self._sites.weights[k].input_scale],
                self.weights[k],
            )
            for bias, k in self._biased
        )
        self.graph = GraphModule(*self._computed(model, outputs))
        for name, parameter in self.graph.weights.items():
            parameter.requires_grad_(self._index.initializer(name) is not None and parameter.numel() > 1)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs, [N, ...] each."""
        return self.graph(*inputs)  # type: ignore[no-any-return]

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
        for of_weight, weight in zip(self._sites.weights, self.weights, strict=True):
            put(of_weight.integers, weight.integers())
            put(of_weight.scale, weight.scale)
        for (bias, _), quantizer in zip(self._biased, self.biases, strict=True):
            put(bias.integers, quantizer.integers())
            put(bias.scale, quantizer.scale)
        return made

    def parameters_with_units(self) -> list[tuple[nn.Parameter, Tensor]]:
        """What learns, and the unit of each that RelativeAdam takes: of a scale itself, of weights the root mean square of their
        channel, of a bias that of the whole.
        """
        found: list[tuple[nn.Parameter, Tensor]] = []
        for quantizer in (*self.activations, *self.weights):
            found += [(p, p.detach().clone()) for p in quantizer.step.parameters()]
        found += [(w.weight, unit_of(w.weight, w.axis)) for w in self.weights]
        found += [(b.bias, unit_of(b.bias)) for b in self.biases]
        found += [(p, unit_of(p)) for p in self.graph.weights.values() if p.requires_grad]
        return found

    def _computed(
        self, model: "ModelProto", outputs: Sequence[str]
    ) -> "tuple[ModelProto, dict[str, nn.Module]]":
        """The graph up to `outputs`, and its replaced nodes."""
        replaced = self._replaced()
        if not outputs:
            return model, replaced
        cut = ending_at(model, outputs)
        needed = {node.name for node in self._index.ancestors(outputs)}
        return cut, {name: module for name, module in replaced.items() if name in needed}

    def _activation(self, site: ActivationSite) -> ActivationQuantizer:
        scale, zero_point = (array_of(self._index, names[0]) for names in (site.scales, site.zero_points))
        return ActivationQuantizer(float(scale), int(zero_point), site.q_min, site.q_max, learn=site.learned)

    def _weight(self, site: WeightSite, floats: Mapping[str, Floats]) -> WeightQuantizer:
        grid = weight_grid(self._bits.get(site.layer, _USUAL).weights)
        scale = torch.from_numpy(np.array(array_of(self._index, site.scale), np.float32))
        integers = array_of(self._index, site.integers)
        weight = _within(integers, scale.numpy(), site.axis, floats.get(site.name))
        return WeightQuantizer(torch.from_numpy(weight), scale, site.axis, grid.q_min, grid.q_max)

    def _dequantized(self, integers: str, scale: str) -> Tensor:
        values = array_of(self._index, integers) * array_of(self._index, scale).astype(np.float64)
        return torch.from_numpy(values.astype(np.float32))

    def _replaced(self) -> dict[str, nn.Module]:
        replaced: dict[str, nn.Module] = {}
        for site, activation in zip(self._sites.activations, self.activations, strict=True):
            replaced.update((name, _First(activation)) for name in site.quantize)
            through = (*site.clip, *site.dequantize, *self._implied_relus(site, activation))
            replaced.update((name, _First()) for name in through)
        for weight_site, weight in zip(self._sites.weights, self.weights, strict=True):
            replaced[weight_site.node] = _Constant(weight)
        for (bias, _), quantizer in zip(self._biased, self.biases, strict=True):
            replaced[bias.node] = _Constant(quantizer)
        return replaced

    def _implied_relus(self, site: ActivationSite, activation: ActivationQuantizer) -> list[str]:
        """Relus whose work the clip does too."""
        makers = [self._index.producer(self._node(name).input[0]) for name in site.quantize]
        return [
            m.name
            for m in makers
            if m is not None
            and m.op_type == "Relu"
            and activation.implies_relu
            and self._index.only_consumer(m.output[0]) is not None
        ]

    def _node(self, name: str) -> Any:
        return next(n for n in self._index.nodes if n.name == name)


class _First(nn.Module):
    """The first input alone, as it is or through `quantizer`, a module of the network: what a Clip or a DequantizeLinear does is
    part of it.
    """

    def __init__(self, quantizer: nn.Module | None = None) -> None:
        super().__init__()
        self._quantizer = (quantizer,)

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        quantizer = self._quantizer[0]
        return x if quantizer is None else quantizer(x)


class _Constant(nn.Module):
    """What `quantizer` makes, in place of a stored constant. `quantizer` is a module of the network, not of this one."""

    def __init__(self, quantizer: nn.Module) -> None:
        super().__init__()
        self._quantizer = (quantizer,)

    def forward(self, *_: Tensor) -> Tensor:
        return self._quantizer[0]()


def _within(integers: npt.NDArray[Any], scale: Floats, axis: int | None, weight: Floats | None) -> Floats:
    """`weight`, moved into the interval that rounds to `integers`; without it their own values."""
    step = scale if axis is None else scale.reshape([-1 if k == axis else 1 for k in range(integers.ndim)])
    values = integers.astype(np.float32) * step
    if weight is None or weight.shape != integers.shape:
        return np.asarray(values, np.float32)
    return np.asarray(np.clip(weight, values - _INSIDE * step, values + _INSIDE * step), np.float32)
