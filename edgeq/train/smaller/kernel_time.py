"""How long int8 kernels take for a layer, in multiply-accumulates: enough to tell which of two changes saves more.

Kernels compute outputs in blocks and read inputs in fours, they write what they computed, and each call has its price: the faster the
products, the more of them. Measured with onnxruntime on x86 with VNNI: ResNet-56 with half the multiply-accumulates took 0.97 of its
time where channels had gone to whatever number, 0.53 where layers had gone; its layers took 19 us each, whatever their products. The
other prices are the same time in what their kernels compute in it, which is not measured.
"""

from collections.abc import Collection, Iterable

from edgeq.train.smaller.layers import Layer

_OUTPUTS, _INPUTS = 8, 4  # that a kernel computes at once
_WRITTEN = 64  # multiply-accumulates in the time in which one value is written
_CALLS = {
    "vnni": 4_000_000,
    "avx2": 1_000_000,
    "asimddp": 1_000_000,
    "": 250_000,
}  # by the CPU flags of fast kernels


def call_price(isa: Collection[str]) -> int:
    """Of one layer, in multiply-accumulates, on a CPU with these flags."""
    return next(price for flag, price in _CALLS.items() if any(flag in has for has in isa) or not flag)


def time_of(layers: Iterable[Layer], call: int) -> int:
    """`call`: the price of one."""
    return sum(layer_time(layer, len(layer.outputs), len(layer.inputs)) + call for layer in layers)


def layer_time(layer: Layer, outputs: int, inputs: int) -> int:
    """With so many channels in place of its own, without the call."""
    products = layer.kernel * _up(outputs, _OUTPUTS) * _up(inputs, _INPUTS)
    return layer.places * (products + _WRITTEN * outputs)


def macs_of_layers(layers: Iterable[Layer]) -> int:
    """Of one run of all of them."""
    return sum(layer.places * layer.kernel * len(layer.outputs) * len(layer.inputs) for layer in layers)


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
