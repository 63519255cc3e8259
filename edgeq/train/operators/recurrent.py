"""LSTM, GRU and RNN in both directions. What torch's own layers compute they do; the rest runs step by step.

Gates stand in another order in ONNX than in torch: iofc and ifco (LSTM), zrh and rzh (GRU).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgeq.train.forms import Form, Samples
from edgeq.train.node import Node
from edgeq.train.recurrent_cells import CELLS, Cell, activation

_TORCH_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


def LSTM(node: Node) -> Form:
    return _recurrent(node)


def GRU(node: Node) -> Form:
    return _recurrent(node)


def RNN(node: Node) -> Form:
    return _recurrent(node)


@dataclass(frozen=True)
class _Layer:
    """`directions` are "forward" and "reverse"; `fused`: torch's own layer computes it."""

    kind: str
    directions: tuple[str, ...]
    hidden: int
    cells: tuple[Cell, ...]
    fused: Callable[..., Tensor | tuple[Tensor, ...]] | None
    batch_first: bool


def _recurrent(node: Node) -> Form:
    """Inputs are X, W, R, B, sequence_lens, initial_h and, of an LSTM, initial_c and P."""
    node.plain(1, 2, 3, 7)
    _same_lengths(node)
    layer = _layer(node)

    def compute(
        x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, *rest: Tensor | None
    ) -> tuple[Tensor, ...]:
        """X is [N, T, batch, in], or [N, batch, T, in] with layout 1."""
        h, c, p = (*rest[1:], None, None, None)[:3]
        count = max(t.shape[0] for t in (x, h, c) if t is not None)
        x = x.transpose(1, 2) if layer.batch_first else x
        steps, batch = x.shape[1], x.shape[2]
        x = x.expand(count, *x.shape[1:])
        flat = x.transpose(0, 1).reshape(steps, count * batch, -1)
        states = [_state(s, flat, len(layer.directions), count, layer) for s in (h, c)]
        outputs, lasts = _run(
            layer, flat, w[0], r[0], None if b is None else b[0], states, None if p is None else p[0]
        )
        y = outputs.reshape(steps, len(layer.directions), count, batch, -1).permute(2, 0, 1, 3, 4)
        ends = tuple(s.reshape(len(layer.directions), count, batch, -1).transpose(0, 1) for s in lasts)
        if layer.batch_first:
            return y.permute(0, 3, 1, 2, 4), *(s.transpose(1, 2) for s in ends)
        return y, *ends

    return Samples(compute)


def _layer(node: Node) -> _Layer:
    kind = node.operator
    direction = node.text("direction", "forward")
    directions = ("forward", "reverse") if direction == "bidirectional" else (direction,)
    names = [
        n.decode().lower() if isinstance(n, bytes) else str(n).lower()
        for n in node.attributes.get("activations", ())
    ]
    usual = list(_USUAL[kind]) * len(directions)
    names = names or usual
    alphas, betas = node.attributes.get("activation_alpha", ()), node.attributes.get("activation_beta", ())
    functions = [activation(node, n, alphas, betas, k) for k, n in enumerate(names)]
    clip = float(node.attributes.get("clip", 0.0))
    each = len(names) // len(directions)
    before_reset = bool(node.attributes.get("linear_before_reset", 0))
    joined = bool(node.attributes.get("input_forget", 0))
    cells = tuple(
        CELLS[kind](tuple(functions[k * each : (k + 1) * each]), clip, before_reset, joined)
        for k in range(len(directions))
    )
    special = clip > 0 or joined or node.has(7) or (kind == "GRU" and not before_reset)
    fused = None if special else _fused(kind, names, usual)
    return _Layer(
        kind, directions, node.operand(2).shape[2], cells, fused, bool(node.attributes.get("layout", 0))
    )


def _fused(
    kind: str, names: list[str], usual: list[str]
) -> Callable[..., Tensor | tuple[Tensor, ...]] | None:
    layers: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]]
    layers = {"LSTM": torch.lstm, "GRU": torch.gru, "RNN": torch.rnn_tanh, "relu": torch.rnn_relu}
    if kind == "RNN" and set(names) == {"relu"}:
        return layers["relu"]
    return layers[kind] if names == usual else None


def _same_lengths(node: Node) -> None:
    if not node.has(4):
        return
    time = 1 if node.attributes.get("layout", 0) else 0
    if set(node.ints(4)) != {node.operand(0).shape[time]}:
        raise node.refused("has sequences of several lengths", "leave out its input sequence_lens")


def _state(state: Tensor | None, flat: Tensor, directions: int, count: int, layer: _Layer) -> Tensor:
    """[directions, N * batch, hidden], zero where it is absent."""
    if state is None:
        return flat.new_zeros(directions, flat.shape[1], layer.hidden)
    state = state.transpose(1, 2) if layer.batch_first else state
    state = state.expand(count, *state.shape[1:])
    return state.transpose(0, 1).reshape(directions, flat.shape[1], layer.hidden)


def _run(
    layer: _Layer,
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None,
    states: Sequence[Tensor],
    p: Tensor | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """All outputs [T, directions, batch, hidden], and the last state(s) of each direction."""
    b = x.new_zeros(w.shape[0], 2 * w.shape[1]) if b is None else b
    if layer.fused is not None:
        return _by_torch(layer, x, w, r, b, states)
    found = []
    for k, direction in enumerate(layer.directions):
        sequence = x.flip(0) if direction == "reverse" else x
        peepholes = None if p is None else p[k]
        ys, last = layer.cells[k].run(sequence, w[k], r[k], b[k], [s[k] for s in states], peepholes)
        found.append((ys.flip(0) if direction == "reverse" else ys, last))
    lasts = zip(*(last for _, last in found), strict=True)
    return torch.stack([ys for ys, _ in found], 1), tuple(torch.stack(s) for s in lasts)


def _by_torch(
    layer: _Layer, x: Tensor, w: Tensor, r: Tensor, b: Tensor, states: Sequence[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    assert layer.fused is not None
    backwards = layer.directions == ("reverse",)
    own = []
    for k in range(len(layer.directions)):
        w_bias, r_bias = b[k].chunk(2)
        own += [_ordered(part, layer.kind) for part in (w[k], r[k], w_bias, r_bias)]
    h, c = states
    given = (h.contiguous(), c.contiguous()) if layer.kind == "LSTM" else h.contiguous()
    both = len(layer.directions) == 2
    y, *lasts = layer.fused(x.flip(0) if backwards else x, given, own, True, 1, 0.0, False, both, False)
    y = y.flip(0) if backwards else y
    return y.unflatten(-1, (len(layer.directions), -1)).transpose(1, 2), tuple(lasts)


def _ordered(part: Tensor, kind: str) -> Tensor:
    gates = part.chunk(len(_TORCH_ORDER[kind]))
    return torch.cat([gates[k] for k in _TORCH_ORDER[kind]])
