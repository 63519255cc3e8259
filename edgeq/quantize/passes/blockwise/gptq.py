"""4-bit blocks rounded to minimize the error of the products (GPTQ), where the quantized outputs gain by it."""

from dataclasses import replace
from typing import Any

from threadpoolctl import threadpool_limits

from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.repairs import Tried, counted
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.numerics.blocks import Blocks
from edgeq.quantize.passes.blockwise.moments import moments_of
from edgeq.quantize.passes.blockwise.products import Product, products_of
from edgeq.quantize.passes.blockwise.rounding import round_jointly, round_to_nearest
from edgeq.quantize.quantization import Context, GraphBackend, Quantization
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, evenly_spaced

NAME = "fit"

# all-MiniLM-L6, dB of blocks of 32, 64 and 128: 8 bits 31.5, 29.4, 27.5; 4 bits (fitted) 15.9 and, of 128, 13.8. One
# vector at a time blocks of 128 are up to 1.3 times as fast as those of 32.
SIZES = {8: 64, 4: 32}
_COMPARED_ON = 32  # samples
_LONGEST = 4608  # of a row: moments of more take too long
_HOW = "4-bit integers rounded to minimize the error of the products (GPTQ)"


def run(q: Quantization, context: Context) -> Quantization:
    """With 8 bits, or without samples, the nearest integers stay."""
    if context.samples is None or q.weight_bits == 8:
        return q
    backend = context.backend
    assert isinstance(backend, GraphBackend)
    samples, threads = context.samples, context.threads
    products = products_of(q.graph)
    blocks = _fitted(q.graph, products, q.weight_bits, samples, threads, context.progress)
    fitted = replace(q, blocks=tuple(blocks))
    evaluator = graph_evaluator(q.graph, samples, evenly_spaced(samples.count, _COMPARED_ON), threads)
    after, before = (evaluator.sqnr_db(backend.quantized(each)) for each in (fitted, q))
    gain, count = round(after - before, 1), counted(sum(map(_fits, products)), "product")
    if after <= before:
        return q.result(Tried(NAME, False, f"{count}: no closer", gain))
    changes = tuple(Remedy(p.node.name, _HOW, gain) for p in products if _fits(p))
    return fitted.changed(NAME, changes).result(Tried(NAME, True, count, gain))


def _fitted(
    model: Any,
    products: tuple[Product, ...],
    bits: int,
    samples: SamplesLike,
    threads: int,
    progress: Progress,
) -> list[Blocks]:
    sizes = {p.node.input[0]: p.weights.shape[1] for p in products if _fits(p)}
    found: dict[int, Blocks] = {}
    with threadpool_limits(threads, "blas"):
        for tensor, gram in moments_of(model, sizes, samples, threads):
            for k, p in enumerate(products):
                if _fits(p) and p.node.input[0] == tensor:
                    found[k] = round_jointly(p.weights, gram, bits, SIZES[bits])
                    progress("round", len(found) / len(products))
    nearest = ((k, p) for k, p in enumerate(products) if k not in found)
    found |= {k: round_to_nearest(p.weights, bits, SIZES[bits]) for k, p in nearest}
    return [found[k] for k in range(len(products))]


def _fits(product: Product) -> bool:
    return not product.inner and product.weights.shape[1] <= _LONGEST
