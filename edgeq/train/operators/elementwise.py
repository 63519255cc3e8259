"""Operators that work value by value: activations, arithmetic, comparisons."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from edgeq.train.element_types import is_below_8_bits, torch_type
from edgeq.train.forms import Broadcast, Compute, Each, Fixed, Form, Samples
from edgeq.train.node import Node


def Relu(node: Node) -> Form:
    return Each(torch.relu)


def LeakyRelu(node: Node) -> Form:
    slope = float(node.attributes.get("alpha", 0.01))
    return Each(lambda x: F.leaky_relu(x, slope))


def PRelu(node: Node) -> Form:
    return Broadcast(lambda x, slope: torch.where(x < 0, slope * x, x))


def ThresholdedRelu(node: Node) -> Form:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Each(lambda x: torch.where(x > alpha, x, 0.0))


def Clip(node: Node) -> Form:
    """By inputs since opset 11, by attributes before."""
    if node.opset < 11:
        low = float(node.attributes.get("min", -math.inf))
        high = float(node.attributes.get("max", math.inf))
        return Each(lambda x: x.clamp(low, high))
    bounds = [o for o in node.inputs[1:] if o]
    if bounds and all(o.fixed is not None for o in bounds):
        return Each(_clip_by(*(_number(node, place) for place in (1, 2))))
    return Broadcast(lambda x, low=None, high=None: x if low is None and high is None else x.clamp(low, high))


def Sigmoid(node: Node) -> Form:
    return Each(torch.sigmoid)


def HardSigmoid(node: Node) -> Form:
    alpha, beta = float(node.attributes.get("alpha", 0.2)), float(node.attributes.get("beta", 0.5))
    return Each(lambda x: (alpha * x + beta).clamp(0, 1))


def HardSwish(node: Node) -> Form:
    return Each(F.hardswish)


def Swish(node: Node) -> Form:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Each(lambda x: x * torch.sigmoid(alpha * x))


def Mish(node: Node) -> Form:
    return Each(F.mish)


def Gelu(node: Node) -> Form:
    kind = node.text("approximate", "none")
    return Each(lambda x: F.gelu(x, approximate=kind))


def Elu(node: Node) -> Form:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Each(lambda x: F.elu(x, alpha))


def Celu(node: Node) -> Form:
    alpha = float(node.attributes.get("alpha", 1.0))
    return Each(lambda x: F.celu(x, alpha))


def Selu(node: Node) -> Form:
    alpha = float(node.attributes.get("alpha", 1.67326319217681884765625))
    gamma = float(node.attributes.get("gamma", 1.05070102214813232421875))
    return Each(lambda x: gamma * torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0))))


def Shrink(node: Node) -> Form:
    bias, limit = float(node.attributes.get("bias", 0.0)), float(node.attributes.get("lambd", 0.5))

    def compute(x: Tensor) -> Tensor:
        moved = torch.where(x < -limit, x + bias, torch.where(x > limit, x - bias, 0))
        return moved.to(x.dtype)

    return Each(compute)


def Softplus(node: Node) -> Form:
    return Each(lambda x: torch.logaddexp(x, torch.zeros_like(x)))


def Softsign(node: Node) -> Form:
    return Each(F.softsign)


def Identity(node: Node) -> Form:
    return Each(lambda x: x)


def Dropout(node: Node) -> Form:
    """Drops nothing, as after training."""
    if node.has(2) and any(node.ints(2)):
        raise node.refused("drops values at random", "export the model in evaluation mode")
    if any(node.outputs[1:]):
        return Samples(lambda x, *ratio_and_mode: (x, torch.ones_like(x, dtype=torch.bool)))
    return Each(lambda x, *ratio_and_mode: x)


def Cast(node: Node) -> Form:
    """Towards integers, fractions are cut off."""
    held = _cast_to(node, int(node.attributes["to"]))
    return Each(lambda x: x.to(held))


def CastLike(node: Node) -> Form:
    """Of the second input only the type is looked at, not its samples."""
    x, like = node.operand(0), node.operand(1)
    held = _cast_to(node, like.element_type) if like.element_type else like.dtype
    return Each(lambda x, _: x.to(held)) if x.fixed is None else Fixed(x.fixed.to(held))


def Add(node: Node) -> Form:
    return Broadcast(torch.add)


def Sub(node: Node) -> Form:
    return Broadcast(torch.sub)


def Mul(node: Node) -> Form:
    return Broadcast(torch.mul)


def Div(node: Node) -> Form:
    """Integers are divided towards zero."""
    if node.operand(0).dtype.is_floating_point:
        return Broadcast(torch.div)
    return Broadcast(lambda a, b: torch.div(a, b, rounding_mode="trunc"))


def Mod(node: Node) -> Form:
    """The sign is that of the divisor, with `fmod` that of the dividend."""
    return Broadcast(torch.fmod if node.attributes.get("fmod", 0) else torch.remainder)


def Pow(node: Node) -> Form:
    held = node.operand(0).dtype
    return Broadcast(lambda x, y: torch.pow(x, y).to(held))


def Max(node: Node) -> Form:
    return Broadcast(_folded(torch.maximum))


def Min(node: Node) -> Form:
    return Broadcast(_folded(torch.minimum))


def Sum(node: Node) -> Form:
    return Broadcast(_folded(torch.add))


def Mean(node: Node) -> Form:
    count = len(node.inputs)

    def mean(*given: Tensor) -> Tensor:
        return _folded(torch.add)(*given) / count

    return Broadcast(mean)


def Where(node: Node) -> Form:
    return Broadcast(torch.where)


def Round(node: Node) -> Form:
    """Halves to even."""
    return Each(torch.round)


def BitShift(node: Node) -> Form:
    left = node.text("direction", "") == "LEFT"
    return Broadcast(torch.bitwise_left_shift if left else torch.bitwise_right_shift)


def IsInf(node: Node) -> Form:
    above, below = node.attributes.get("detect_positive", 1), node.attributes.get("detect_negative", 1)

    def compute(x: Tensor) -> Tensor:
        return torch.isinf(x) & ((x > 0) * bool(above) | (x < 0) * bool(below)).bool()

    return Each(compute)


def _cast_to(node: Node, element_type: int) -> torch.dtype:
    held = torch_type(element_type)
    if held is None or is_below_8_bits(element_type):
        raise node.refused(
            "casts to a type that torch has not", "cast to float32, or to an integer of 8 bits and more"
        )
    return held


def _each(compute: Compute) -> Callable[[Node], Form]:
    def operator(node: Node) -> Form:
        return Each(compute)

    return operator


def _pairs(compute: Compute) -> Callable[[Node], Form]:
    def operator(node: Node) -> Form:
        return Broadcast(compute)

    return operator


def _folded(compute: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def run(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = compute(first, other)
        return first

    return run


def _number(node: Node, place: int) -> float | None:
    return node.fixed(place).item() if node.has(place) else None


def _clip_by(low: float | None, high: float | None) -> Compute:
    return lambda x, *bounds: x.clamp(low, high)


# Those that have a function of torch with the same meaning.
Abs = _each(torch.abs)
Acos = _each(torch.acos)
Acosh = _each(torch.acosh)
Asin = _each(torch.asin)
Asinh = _each(torch.asinh)
Atan = _each(torch.atan)
Atanh = _each(torch.atanh)
Ceil = _each(torch.ceil)
Cos = _each(torch.cos)
Cosh = _each(torch.cosh)
Erf = _each(torch.erf)
Exp = _each(torch.exp)
Floor = _each(torch.floor)
IsNaN = _each(torch.isnan)
Log = _each(torch.log)
Neg = _each(torch.neg)
Not = _each(torch.logical_not)
Reciprocal = _each(torch.reciprocal)
Sign = _each(torch.sign)
Sin = _each(torch.sin)
Sinh = _each(torch.sinh)
Sqrt = _each(torch.sqrt)
Tan = _each(torch.tan)
Tanh = _each(torch.tanh)

And = _pairs(torch.logical_and)
BitwiseAnd = _pairs(torch.bitwise_and)
BitwiseOr = _pairs(torch.bitwise_or)
BitwiseXor = _pairs(torch.bitwise_xor)
Equal = _pairs(torch.eq)
Greater = _pairs(torch.gt)
GreaterOrEqual = _pairs(torch.ge)
Less = _pairs(torch.lt)
LessOrEqual = _pairs(torch.le)
Or = _pairs(torch.logical_or)
Xor = _pairs(torch.logical_xor)
