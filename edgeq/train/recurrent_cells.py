"""One direction of LSTM, GRU and RNN, step by step, by the equations of the ONNX standard: for what torch's own layers lack."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from .node import Node

Function = Callable[[Tensor], Tensor]
States = tuple[Tensor, ...]


class Cell(Protocol):
    """`x` [T, batch, in], `w` [gates * hidden, in], `r` [gates * hidden, hidden], `b` both biases one behind the other, `states` [batch,
    hidden] each, `p` peepholes. Gives all outputs [T, batch, hidden] and the last states.
    """

    def run(
        self, x: Tensor, w: Tensor, r: Tensor, b: Tensor, states: Sequence[Tensor], p: Tensor | None
    ) -> tuple[Tensor, States]: ...


@dataclass(frozen=True)
class _Cell:
    """`clip` 0: none. `before_reset` is linear_before_reset of a GRU, `joined` input_forget of an LSTM."""

    functions: tuple[Function, ...]
    clip: float
    before_reset: bool
    joined: bool

    def clipped(self, x: Tensor) -> Tensor:
        return x.clamp(-self.clip, self.clip) if self.clip > 0 else x


class _Lstm(_Cell):
    def run(
        self, x: Tensor, w: Tensor, r: Tensor, b: Tensor, states: Sequence[Tensor], p: Tensor | None
    ) -> tuple[Tensor, States]:
        f, g, h_of = self.functions
        h, c = states
        w_bias, r_bias = b.chunk(2)
        peeped = (0.0, 0.0, 0.0) if p is None else p.chunk(3)  # i, o, f
        outputs = []
        for ahead in F.linear(x, w, w_bias + r_bias):
            i, o, forget, new = (ahead + F.linear(h, r)).chunk(4, -1)
            i = f(self.clipped(i + peeped[0] * c))
            forget = 1 - i if self.joined else f(self.clipped(forget + peeped[2] * c))
            c = forget * c + i * g(self.clipped(new))
            h = f(self.clipped(o + peeped[1] * c)) * h_of(c)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


class _Gru(_Cell):
    def run(
        self, x: Tensor, w: Tensor, r: Tensor, b: Tensor, states: Sequence[Tensor], p: Tensor | None
    ) -> tuple[Tensor, States]:
        f, g = self.functions
        h = states[0]
        w_bias, r_bias = b.chunk(2)
        (r_gates, r_new), size = r.split([2 * h.shape[-1], h.shape[-1]]), h.shape[-1]
        outputs = []
        for ahead in F.linear(x, w, w_bias):
            zr = ahead[..., : 2 * size] + F.linear(h, r_gates, r_bias[: 2 * size])
            z, reset = f(self.clipped(zr)).chunk(2, -1)
            if self.before_reset:
                behind = reset * F.linear(h, r_new, r_bias[2 * size :])
            else:
                behind = F.linear(reset * h, r_new, r_bias[2 * size :])
            h = (1 - z) * g(self.clipped(ahead[..., 2 * size :] + behind)) + z * h
            outputs.append(h)
        return torch.stack(outputs), (h,)


class _Rnn(_Cell):
    def run(
        self, x: Tensor, w: Tensor, r: Tensor, b: Tensor, states: Sequence[Tensor], p: Tensor | None
    ) -> tuple[Tensor, States]:
        (f,), h = self.functions, states[0]
        w_bias, r_bias = b.chunk(2)
        outputs = []
        for ahead in F.linear(x, w, w_bias + r_bias):
            h = f(self.clipped(ahead + F.linear(h, r)))
            outputs.append(h)
        return torch.stack(outputs), (h,)


CELLS: dict[str, Callable[[tuple[Function, ...], float, bool, bool], Cell]] = {
    "LSTM": _Lstm,
    "GRU": _Gru,
    "RNN": _Rnn,
}
_FUNCTIONS: dict[str, Function] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softsign": F.softsign,
    "softplus": F.softplus,
}


def activation(
    node: Node, name: str, alphas: Sequence[float], betas: Sequence[float], place: int
) -> Function:
    """By its ONNX name in small letters. Raises ModelRefused."""
    alpha = float(alphas[place]) if place < len(alphas) else None
    beta = float(betas[place]) if place < len(betas) else None
    if name == "hardsigmoid":
        a, b = 0.2 if alpha is None else alpha, 0.5 if beta is None else beta
        return lambda x: (a * x + b).clamp(0, 1)
    if name == "leakyrelu":
        slope = 0.01 if alpha is None else alpha
        return lambda x: F.leaky_relu(x, slope)
    if name == "elu":
        size = 1.0 if alpha is None else alpha
        return lambda x: F.elu(x, size)
    if name not in _FUNCTIONS:
        raise node.refused(f"has the activation {name}", f"use one of {', '.join(sorted(_FUNCTIONS))}")
    return _FUNCTIONS[name]
