"""Weights of 4 or 8 bits in blocks that have a scale each, for onnxruntime's MatMulNBits.

products    the matrix products with constant weights that it can replace
gptq        the pass that rounds 4-bit weights with the least error of the products
"""

from dataclasses import replace

from edgeq.quantize.passes.blockwise.gptq import SIZES, round_to_nearest
from edgeq.quantize.passes.blockwise.products import products_of
from edgeq.quantize.quantization import Context, Quantization

NAME = None


def run(q: Quantization, context: Context) -> Quantization:
    """Rounds every weight to nearest."""
    bits = q.weight_bits
    blocks = (round_to_nearest(p.weights, bits, SIZES[bits]) for p in products_of(q.graph))
    return replace(q, blocks=tuple(blocks))
