"""SmoothQuant: divides outlier channels of activations, and multiplies the weights behind by the same factors, before both are
quantized dynamically; kept where the quantized outputs gain by it.

    sites       activations whose channels can be scaled, and a copy of the graph with factors applied
    factors     the factors with the least error of the products

Xiao et al., "SmoothQuant: accurate and efficient post-training quantization for large language models", 2022.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.plain_text import counted
from edgeq.quantize.effort import EFFORTS, left_out
from edgeq.quantize.evaluate.evaluator import gain_of, graph_evaluator
from edgeq.quantize.passes.smooth.factors import ChannelStats, best_factors
from edgeq.quantize.passes.smooth.sites import Floats, Site, scaled, sites_of
from edgeq.quantize.quantization import Context, GraphBackend, Quantization
from edgeq.quantize.run_model import Progress, values_of
from edgeq.quantize.samples import SamplesLike, evenly_spaced, split_of

if TYPE_CHECKING:
    import onnx

NAME = "smooth"
STAGE = "smooth outlier channels"

_SAMPLES, _COMPARED_ON = 8, 32  # for the ranges of channels, and for the outputs
# What each variant must gain over the simpler one. In all-MiniLM-L6 factors folded into norms cost 0.5 % of the time, a Mul
# before each of the twelve other products 3 %, and 2 % where only the six get one that gain 4 dB by themselves.
_FOLDED_DB, _MULTIPLIED_DB = 0.5, 1.0
_WORTH_FOLDING_DB, _WORTH_A_MUL_DB = 1.0, 4.0  # of one product, by itself


@dataclass(frozen=True)
class Smoothed:
    model: "onnx.ModelProto"
    result: PassResult
    changes: tuple[AppliedChange, ...] = ()


def run(q: Quantization, context: Context) -> Quantization:
    backend = context.backend
    assert isinstance(backend, GraphBackend)
    if context.samples is None:
        return q.with_result(PassResult(NAME, False, "there are no samples"))
    if not EFFORTS[context.options.effort].smooth:
        return q.with_result(PassResult(NAME, False, left_out(context.options.effort)))

    def quantized(model: "onnx.ModelProto") -> "onnx.ModelProto":
        return backend.quantized(replace(q, model=model))

    threads, progress = context.threads, context.progress
    found = smoothed(q.graph, quantized, context.samples, threads=threads, progress=progress)
    return replace(q, model=found.model).with_changes(NAME, found.changes).with_result(found.result)


def smoothed(
    model: "onnx.ModelProto",
    quantized: Callable[["onnx.ModelProto"], "onnx.ModelProto"],
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
) -> Smoothed:
    """`model`, which has inferred shapes, or a smoothed copy if that is closer to float once `quantized`.

    Factors that can be folded into norms are tried first, then also those that need a Mul.
    """
    sites = [site for site in sites_of(model) if site.products]
    factors = _factors(model, sites, samples, threads, progress)
    if not factors:
        return Smoothed(model, PassResult(NAME, False, "no matrix product gains from it"))
    split = split_of(samples)
    choose = graph_evaluator(model, evenly_spaced(split.choose, _COMPARED_ON), threads)
    best, kept, least_db, noise = model, frozenset[str](), 0.0, choose.noise(quantized(model))
    for some, worth_db in (([s for s in sites if s.folds], _FOLDED_DB), (sites, _MULTIPLIED_DB)):
        names = frozenset(s.tensor for s in some) & factors.keys()
        if names == kept:
            continue
        tried = scaled(model, {name: factors[name] for name in names})
        found = choose.noise(quantized(tried))
        gain = gain_of(noise, found)
        if gain.reaches(worth_db):
            best, kept, least_db, noise = tried, names, worth_db, found
    if not kept:
        return Smoothed(model, PassResult(NAME, False, "the outputs gain too little", round(gain.db, 1)))
    check = graph_evaluator(model, evenly_spaced(split.check, _COMPARED_ON), threads)
    gain = check.gain(quantized(model), quantized(best))
    gain_db = round(gain.db, 1)
    if not gain.reaches(least_db):
        return Smoothed(model, PassResult(NAME, False, "the outputs gain too little", gain_db))
    changes = tuple(_change(s, gain_db) for s in sites if s.tensor in kept)
    return Smoothed(best, PassResult(NAME, True, counted(len(kept), "tensor"), gain_db), changes)


def _change(site: Site, gain_db: float) -> AppliedChange:
    how = "folded into it" if site.folds else "by a Mul"
    return AppliedChange(
        site.maker, f"outlier channels smoothed into the weights, {how} (SmoothQuant)", gain_db
    )


def _factors(
    model: "onnx.ModelProto", sites: list[Site], samples: SamplesLike, threads: int, progress: Progress
) -> dict[str, Floats]:
    """By tensor, of the sites whose products gain enough."""
    if not sites:
        return {}
    stats: list[list[ChannelStats]] = [[] for _ in sites]
    for values in values_of(
        model, [s.tensor for s in sites], evenly_spaced(split_of(samples).fit, _SAMPLES), threads
    ):
        for into, value in zip(stats, values, strict=True):
            into.append(ChannelStats.of(np.asarray(value, np.float32)))
    found = {}
    for k, site in enumerate(sites):
        progress(STAGE, k / len(sites))
        with threadpool_limits(threads, "blas"):
            least = _WORTH_FOLDING_DB if site.folds else _WORTH_A_MUL_DB
            factors = best_factors(stats[k], _weights(model, site), least)
        if factors is not None:
            found[site.tensor] = factors
    progress(STAGE, 1.0)
    return found


def _weights(model: "onnx.ModelProto", site: Site) -> Floats:
    """Of all products, [channels, outputs of all]."""
    from onnx import numpy_helper

    wanted = {node.input[1]: axis for node, axis in site.products}
    constants = index_of(model.graph).constants
    held = {name: numpy_helper.to_array(constants[name]) for name in wanted}
    return np.concatenate([held[n] if axis == 0 else held[n].T for n, axis in wanted.items()], axis=1)
