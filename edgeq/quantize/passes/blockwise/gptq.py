"""Rounds weights in blocks of 2 or 4 bits with the least error of the products (GPTQ), where the quantized outputs gain by it.

Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers", 2022: column by column,
and the columns still to come compensate the error of each. A block's scale and zero point are chosen when it is reached,
from its weights as they are then.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.plain_text import counted
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.passes.blockwise import SIZES, Product, products_of
from edgeq.quantize.quantization import Context, GraphBackend, Quantization
from edgeq.quantize.run_model import Progress, values_of
from edgeq.quantize.samples import SamplesLike, evenly_spaced
from edgeq.quantize.weights import Blocks, Doubles, in_blocks, round_to_nearest, to_grid

if TYPE_CHECKING:
    import onnx

NAME = "fit"
STAGE = "round weights"

_LONGEST = 4608  # of a row: moments of more take too long
_SAMPLES, _COMPARED_ON = 64, 32  # for the moments, and for the outputs
_ROOM = 512 * 2**20  # bytes of moments at a time
_DAMPING = 0.01  # of the inputs' mean power, added to the diagonal, as in GPTQ
_HOW = "{}-bit integers rounded to minimize the error of the products (GPTQ)"


def run(q: Quantization, context: Context) -> Quantization:
    """Without samples, weights stay rounded to nearest."""
    if context.samples is None:
        return q
    backend = context.backend
    assert isinstance(backend, GraphBackend)
    split, threads = context.split, context.threads
    products = products_of(q.graph)
    learned, check = evenly_spaced(split.learn, _SAMPLES), evenly_spaced(split.check, _COMPARED_ON)
    blocks = _blocks(q.graph, products, q.weight_bits, learned, threads, context.progress)
    fitted = replace(q, blocks=tuple(blocks))
    gain = graph_evaluator(q.graph, check, threads).gain(backend.quantized(q), backend.quantized(fitted))
    gain_db, count = round(gain.db, 1), counted(sum(map(_fits, products)), "product")
    if not gain.reaches(0.0):
        return q.with_result(PassResult(NAME, False, f"{count}: no closer", gain_db))
    changes = tuple(
        AppliedChange(p.node.name, _HOW.format(q.weight_bits), gain_db) for p in products if _fits(p)
    )
    return fitted.with_changes(NAME, changes).with_result(PassResult(NAME, True, count, gain_db))


def round_gptq(weights: npt.NDArray[np.float32], gram: Doubles, bits: int, size: int) -> Blocks:
    """`weights` [rows, k]; `gram` [k, k] is E[x x'] of the inputs x."""
    power = max(float(np.trace(gram)) / len(gram), 1e-30)
    damped = gram + _DAMPING * power * np.identity(len(gram))
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = weights.astype(np.float64)
    return in_blocks(
        left, bits, size, lambda block, scale, zero: _block(left, upper, block, scale, zero, bits)
    )


def _blocks(
    model: "onnx.ModelProto",
    products: tuple[Product, ...],
    bits: int,
    samples: SamplesLike,
    threads: int,
    progress: Progress,
) -> list[Blocks]:
    sizes = {p.node.input[0]: p.weights.shape[1] for p in products if _fits(p)}
    found: dict[int, Blocks] = {}
    with threadpool_limits(threads, "blas"):
        for tensor, gram in _moments(model, sizes, samples, threads):
            for k, p in enumerate(products):
                if _fits(p) and p.node.input[0] == tensor:
                    found[k] = round_gptq(p.weights, gram, bits, SIZES[bits])
                    progress(STAGE, len(found) / len(products))
    nearest = ((k, p) for k, p in enumerate(products) if k not in found)
    found |= {k: round_to_nearest(p.weights, bits, SIZES[bits]) for k, p in nearest}
    return [found[k] for k in range(len(products))]


def _fits(product: Product) -> bool:
    return not product.inner and product.weights.shape[1] <= _LONGEST


def _moments(
    model: "onnx.ModelProto", sizes: dict[str, int], samples: SamplesLike, threads: int
) -> Iterator[tuple[str, Doubles]]:
    """(tensor, E[x x'] [k, k]) of each tensor of `sizes`, the lengths k of their last axes; in as many runs as memory needs."""
    for tensors in _groups(sizes):
        sums = {name: np.zeros((sizes[name],) * 2, np.float64) for name in tensors}
        count = dict.fromkeys(tensors, 0)
        for values in values_of(model, tensors, samples, threads):
            for name, value in zip(tensors, values, strict=True):
                rows = np.asarray(value, np.float32).reshape(-1, sizes[name])
                sums[name] += rows.T @ rows
                count[name] += len(rows)
        yield from ((name, total / max(count[name], 1)) for name, total in sums.items())


def _groups(sizes: dict[str, int]) -> Iterator[Sequence[str]]:
    group: list[str] = []
    taken = 0
    for name, k in sizes.items():
        if group and taken + 8 * k * k > _ROOM:
            yield group
            group, taken = [], 0
        group.append(name)
        taken += 8 * k * k
    if group:
        yield group


def _block(left: Doubles, upper: Doubles, block: slice, scale: Doubles, zero: Doubles, bits: int) -> Doubles:
    """The integers of one block; the columns of `left` from it on are changed in place. `upper` is the Cholesky factor of the
    inverse of E[x x'].
    """
    found = np.empty((len(left), block.stop - block.start))
    errors = np.zeros_like(found)
    for j, k in enumerate(range(block.start, block.stop)):
        found[:, j] = to_grid(left[:, k], scale, zero, bits)
        errors[:, j] = (left[:, k] - (found[:, j] - zero) * scale) / upper[k, k]
        left[:, k + 1 : block.stop] -= np.outer(errors[:, j], upper[k, k + 1 : block.stop])
    left[:, block.stop :] -= errors @ upper[block, block.stop :]
    return found
