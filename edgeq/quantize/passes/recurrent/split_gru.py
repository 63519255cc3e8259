"""A GRU as matrix products with constant weights, which dynamic int8 quantizes, around a few recurrent operations.

    [z r n] = x [Wz Wr Wn]' + [bz br bn]                       one product for all steps and directions
    z, r = sigmoid([z r] + h [Rz Rr]')                         in each step
    n = tanh(n + r (h Rn' + cn))    linear_before_reset        b and c are the two halves of the bias; those that are
    n = tanh(n + (r h) Rn' + cn)    otherwise                  added to the same sum are added once, before the steps
    h = n + z (h - n)

Cho et al. 2014 and its variant of cuDNN, as https://onnx.ai/onnx/operators/onnx__GRU.html has them; gates in its order
z, r, n. The steps are the body of a Scan; a single step needs none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_edit import NodeBuilder

if TYPE_CHECKING:
    import onnx

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gru:
    """`x` [steps, batch, in] and `initial` [directions, batch, units] (or "") are tensors; `outputs` those of the node.

    `w` [directions, 3 units, in], `r` [directions, 3 units, units], `b` [directions, 6 units] or None. With two
    directions the second one is reversed; `reverse`: a single one is. Open `steps` and `batch` are None.
    """

    x: str
    initial: str
    outputs: tuple[str, ...]
    w: Floats
    r: Floats
    b: Floats | None
    reverse: bool
    linear_before_reset: bool
    steps: int | None
    batch: int | None

    @property
    def units(self) -> int:
        return int(self.r.shape[2])

    @property
    def directions(self) -> int:
        return len(self.w)

    def backwards(self, direction: int) -> int:
        return int(self.reverse or direction == 1)

    def biases(self, direction: int) -> tuple[Floats, Floats]:
        """What is added before the steps [3 units], and to h Rn' before the reset gate [units]."""
        if self.b is None:
            return np.zeros(3 * self.units, np.float32), np.zeros(self.units, np.float32)
        before, within = np.split(self.b[direction], 2)
        if not self.linear_before_reset:
            return before + within, np.zeros(self.units, np.float32)
        gates, candidate = np.split(within, [2 * self.units])
        return before + np.concatenate([gates, np.zeros_like(candidate)]), candidate


def split_gru(gru: Gru) -> NodeBuilder:
    """The nodes and weights that replace the node with the outputs `gru.outputs`."""
    parts = NodeBuilder(f"{next(name for name in gru.outputs if name)}.gru")
    projected = _projected(parts, gru)
    ends = [_direction(parts, gru, d, *projected[2 * d : 2 * d + 2]) for d in range(gru.directions)]
    _outputs(parts, gru, [every for every, _ in ends], [last for _, last in ends])
    return parts


def _projected(parts: NodeBuilder, gru: Gru) -> list[str]:
    """Per direction, [steps, batch, 2 units] for z and r and [steps, batch, units] for n."""
    weights = np.concatenate(list(gru.w)).T
    bias = np.concatenate([gru.biases(d)[0] for d in range(gru.directions)])
    product = parts.node("MatMul", [gru.x, parts.constant("w", weights)], "projection")
    sums = parts.node("Add", [product, parts.constant("b", bias)], "projected")
    names = [f"{d}.{half}" for d in range(gru.directions) for half in ("gates", "candidate")]
    return _split(parts, sums, [2 * gru.units, gru.units] * gru.directions, names)


def _direction(parts: NodeBuilder, gru: Gru, d: int, gates: str, candidate: str) -> tuple[str, str]:
    """(states of all steps [steps, batch, units], the last one [1, batch, units])."""
    if gru.steps == 1:
        state = _step(parts.under(f"{d}"), gru, d, _initial(parts, gru, d, (1,)), gates, candidate)
        return state, state
    last, every = parts.node_of_many(
        "Scan",
        [_initial(parts, gru, d, ()), gates, candidate],
        [f"{d}.last", f"{d}.every"],
        body=_body(parts.name(f"{d}.step"), gru, d),
        num_scan_inputs=2,
        scan_input_directions=[gru.backwards(d)] * 2,
        scan_output_directions=[gru.backwards(d)],
    )
    return every, parts.node("Unsqueeze", [last, parts.constant("first", np.array([0]))], f"{d}.end")


def _body(prefix: str, gru: Gru, d: int) -> "onnx.GraphProto":
    body = NodeBuilder(prefix)
    h, gates, candidate = (body.name(name) for name in ("before", "gates", "candidate"))
    after = _step(body, gru, d, h, gates, candidate)
    shown = body.node("Identity", [after], "shown")  # the state and what is collected must be two tensors
    units = gru.units
    shapes = [(h, [gru.batch, units]), (gates, [gru.batch, 2 * units]), (candidate, [gru.batch, units])]
    return body.graph(shapes, [after, shown])


def _step(parts: NodeBuilder, gru: Gru, d: int, h: str, gates: str, candidate: str) -> str:
    """The next state. `gates` is [.., 2 units], the rest [.., units]."""
    units, bias = gru.units, gru.biases(d)[1]
    if gru.linear_before_reset:
        product = parts.node("MatMul", [h, parts.constant("r", gru.r[d].T)], "recurrence")
        shift = np.concatenate([np.zeros(2 * units, np.float32), bias])
        sums = parts.node("Add", [product, parts.constant("c", shift)], "recurrent")
        fed, inner = _split(parts, sums, [2 * units, units], ["fed", "inner"])
    else:
        fed = parts.node("MatMul", [h, parts.constant("r", gru.r[d][: 2 * units].T)], "recurrence")
    opened = parts.node("Sigmoid", [parts.node("Add", [gates, fed], "opening")], "open")
    z, r = _split(parts, opened, [units, units], ["update", "reset"])
    if gru.linear_before_reset:
        inner = parts.node("Mul", [r, inner], "kept")
    else:
        kept = parts.node("Mul", [r, h], "kept")
        inner = parts.node("MatMul", [kept, parts.constant("rn", gru.r[d][2 * units :].T)], "inner")
    new = parts.node("Tanh", [parts.node("Add", [candidate, inner], "proposal")], "new")
    change = parts.node("Mul", [z, parts.node("Sub", [h, new], "difference")], "change")
    return parts.node("Add", [new, change], "after")


def _initial(parts: NodeBuilder, gru: Gru, d: int, leading: tuple[int, ...]) -> str:
    """The state before the first step, [batch, units] with the axes `leading` before them."""
    if not gru.initial:
        assert gru.batch is not None
        return parts.constant("zeros", np.zeros((*leading, gru.batch, gru.units), np.float32))
    which = parts.constant(f"{d}", np.full(leading, d, np.int64))
    return parts.node("Gather", [gru.initial, which], f"{d}.initial", axis=0)


def _outputs(parts: NodeBuilder, gru: Gru, every: list[str], last: list[str]) -> None:
    """Y [steps, directions, batch, units] and Y_h [directions, batch, units], where the node has them."""
    y, y_h = (*gru.outputs, "", "")[:2]
    if y:
        axis = parts.constant("second", np.array([1]))
        apart = [parts.node("Unsqueeze", [e, axis], f"{d}.apart") for d, e in enumerate(every)]
        parts.node_into("Concat", apart, [y], axis=1)
    if y_h:
        parts.node_into("Concat", last, [y_h], axis=0)


def _split(parts: NodeBuilder, x: str, sizes: list[int], names: list[str]) -> list[str]:
    """Along the last axis."""
    return parts.node_of_many(
        "Split", [x, parts.constant(f"{names[0]}.sizes", np.array(sizes))], names, axis=-1
    )
