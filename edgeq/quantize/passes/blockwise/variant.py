"""Weights in blocks as a file for onnxruntime: rounded by what the products make of them, where that comes closer."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from edgeq.nouns.fidelity import FusionAudit, Remedy
from edgeq.nouns.plan import Skipped
from edgeq.nouns.repairs import OFF, Tried, counted
from edgeq.quantize.audit import float_layers
from edgeq.quantize.audit.is_noop import onnx_untouched
from edgeq.quantize.audit.kernels import onnx_fusion
from edgeq.quantize.backends.ort.nbits import in_blocks
from edgeq.quantize.evaluate.held_against import HeldAgainst
from edgeq.quantize.float_graph import read, write
from edgeq.quantize.passes.blockwise.blocks import Blocks
from edgeq.quantize.passes.blockwise.moments import moments_of
from edgeq.quantize.passes.blockwise.products import Product, products_of
from edgeq.quantize.passes.blockwise.rounding import round_jointly, round_to_nearest
from edgeq.quantize.passes.lower_unsupported_ops import in_own_forms
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.sensitivity.noise import Noise

# all-MiniLM-L6, dB of blocks of 32, 64 and 128: 8 bits 31.5, 29.4, 27.5; 4 bits (fitted) 15.9 and, of 128, 13.8. One
# vector at a time blocks of 128 are up to 1.3 times as fast as those of 32.
_SIZES = {8: 64, 4: 32}
_LONGEST = 4608  # of a row: moments of more take too long
_HOW = "4-bit integers rounded to minimize the error of the products (GPTQ)"


class OnnxBlockwise:
    """Without `calibration`, and with 8 bits, every weight goes to the nearest integer."""

    calibrator: str | None = None

    def __init__(
        self,
        source: Path,
        path: Path,
        bits: int,
        calibration: SamplesLike | None,
        threads: int,
        progress: Progress,
        repairs: Collection[str],
    ) -> None:
        self.path = path
        self.rewritten, embeddings = in_own_forms(read(source), repairs)
        model = self.rewritten.model
        products = products_of(model)
        self.model = in_blocks(model, [round_to_nearest(p.weights, bits, _SIZES[bits]) for p in products])
        self.remedies: tuple[Remedy, ...] = self.rewritten.remedies
        self.repairs: tuple[Tried, ...] = (embeddings,)
        if calibration is None or bits == 8:
            return
        if "fit" not in repairs:
            self.repairs += (Tried("fit", False, OFF),)
            return
        fitted = in_blocks(model, _fitted(model, products, bits, calibration, threads, progress))
        held = HeldAgainst(model, calibration, threads)
        gain = held.closeness_db(fitted) - held.closeness_db(self.model)
        layers, won = counted(sum(map(_fits, products)), "product"), round(gain, 1)
        self.repairs += (Tried("fit", gain > 0, layers if gain > 0 else f"{layers}: no closer", won),)
        if gain > 0:
            self.model = fitted
            self.remedies += tuple(Remedy(p.node.name, _HOW, round(gain, 1)) for p in products if _fits(p))

    def write(self, leave: frozenset[str]) -> None:
        write(self.model, self.path)

    def layers(self) -> tuple[str, ...]:
        return ()

    def noise(self, samples: SamplesLike, progress: Progress) -> tuple[Noise, ...]:
        return ()

    def left_in_float(self, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
        return (*self.rewritten.left, *float_layers.onnx_blockwise(self.path))

    def fusion(self) -> tuple[FusionAudit, ...]:
        return onnx_fusion(self.path, None)

    def untouched(self) -> bool:
        return not self.rewritten.stored and onnx_untouched(self.path)


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
                    found[k] = round_jointly(p.weights, gram, bits, _SIZES[bits])
                    progress("round", len(found) / len(products))
    nearest = ((k, p) for k, p in enumerate(products) if k not in found)
    found |= {k: round_to_nearest(p.weights, bits, _SIZES[bits]) for k, p in nearest}
    return [found[k] for k in range(len(products))]


def _fits(product: Product) -> bool:
    return not product.inner and product.weights.shape[1] <= _LONGEST
