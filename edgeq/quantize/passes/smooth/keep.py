"""Smooths a graph and keeps that only where the quantized outputs win by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.repairs import Tried, counted
from edgeq.quantize.evaluate.evaluator import graph_evaluator
from edgeq.quantize.passes.smooth.channel_stats import ChannelStats
from edgeq.quantize.passes.smooth.factors import best_factors
from edgeq.quantize.passes.smooth.scaled import scaled
from edgeq.quantize.passes.smooth.sites import Site, sites_of
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, evenly_spaced
from edgeq.quantize.tensor_values import values_of

_LOOKED_AT = 8  # samples
_COMPARED_ON = 32
# What a way must win over a simpler one. In all-MiniLM-L6 what norms take up costs 0.5 % of the time, a Mul in front of
# each of the twelve other products 3 %, and 2 % where only the six that win 4 dB by themselves get one.
_WORTHWHILE_DB = {"folded": 0.5, "all": 1.0}
_WORTH_FOLDING_DB, _WORTH_A_MUL_DB = 1.0, 4.0  # of one product, by itself

Factors = Mapping[str, npt.NDArray[np.float32]]
Write = Callable[[Any], Any]  # a float ModelProto to the quantized one


@dataclass(frozen=True)
class Smoothed:
    model: Any
    tried: Tried
    remedies: tuple[Remedy, ...] = ()


def smoothed(
    model: Any, quantized: Write, samples: SamplesLike, *, threads: int, progress: Progress
) -> Smoothed:
    """`model` (a ModelProto with inferred shapes), or a copy that gives the same and is closer to it once `quantized`.

    What norms can take up is tried first, then also a Mul in front of the other products.
    """
    sites = [site for site in sites_of(model) if site.products]
    factors = _factors(model, sites, samples, threads, progress)
    if not factors:
        return Smoothed(model, Tried("smooth", False, "no matrix product gains from it"))
    evaluator = graph_evaluator(model, samples, evenly_spaced(samples.count, _COMPARED_ON), threads)
    best, kept, plain = model, frozenset[str](), evaluator.sqnr_db(quantized(model))
    best_db = plain
    for way, taken in (("folded", [s for s in sites if s.folds]), ("all", sites)):
        names = frozenset(s.tensor for s in taken) & factors.keys()
        if names == kept:
            continue
        tried = scaled(model, {name: factors[name] for name in names})
        sqnr_db = evaluator.sqnr_db(quantized(tried))
        if sqnr_db >= best_db + _WORTHWHILE_DB[way]:
            best, kept, best_db = tried, names, sqnr_db
    gain = round(best_db - plain, 1)
    why = counted(len(kept), "tensor") if kept else "the outputs gain too little"
    remedies = tuple(_remedy(s, gain) for s in sites if s.tensor in kept)
    return Smoothed(best, Tried("smooth", bool(kept), why, gain), remedies)


def _remedy(site: Site, gain_db: float) -> Remedy:
    how = "folded into it" if site.folds else "by a Mul"
    return Remedy(site.maker, f"outlier channels smoothed into the weights, {how} (SmoothQuant)", gain_db)


def _factors(
    model: Any, sites: list[Site], samples: SamplesLike, threads: int, progress: Progress
) -> dict[str, npt.NDArray[np.float32]]:
    """Of the sites that are worth it."""
    if not sites:
        return {}
    indices = evenly_spaced(samples.count, _LOOKED_AT)
    stats: list[list[ChannelStats]] = [[] for _ in sites]
    for values in values_of(model, [s.tensor for s in sites], samples, indices, threads):
        for into, value in zip(stats, values, strict=True):
            into.append(ChannelStats.of(np.asarray(value, np.float32)))
    found = {}
    for k, site in enumerate(sites):
        progress("smooth", k / len(sites))
        with threadpool_limits(threads, "blas"):
            least = _WORTH_FOLDING_DB if site.folds else _WORTH_A_MUL_DB
            factors = best_factors(stats[k], _weights(model, site), least)
        if factors is not None:
            found[site.tensor] = factors
    progress("smooth", 1.0)
    return found


def _weights(model: Any, site: Site) -> npt.NDArray[np.float32]:
    """Of all products, [channels, outputs of all]."""
    from onnx import numpy_helper

    wanted = {node.input[1]: axis for node, axis in site.products}
    constants = index_of(model.graph).constants
    held = {name: numpy_helper.to_array(constants[name]) for name in wanted}
    return np.concatenate([held[n] if axis == 0 else held[n].T for n, axis in wanted.items()], axis=1)
