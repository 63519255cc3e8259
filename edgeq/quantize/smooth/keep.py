"""Smooths a graph and keeps that only where the quantized outputs win by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.error import sqnr_db
from edgeq.quantize.host_run import Progress
from edgeq.quantize.samples_like import Array, SamplesLike
from edgeq.quantize.scopes import scopes

from .factors import best_factors
from .scaled import scaled
from .seen import Seen, values_of
from .sites import Site, sites_of

_LOOKED_AT, _JUDGED = 8, 32  # samples
# What a way must win over a simpler one: a Mul for who reads the tensor besides costs 1 % of a transformer's time, one
# in front of every product twice as much.
_WORTHWHILE_DB = {"folded": 0.5, "all": 1.0}
_EXACT = 200.0  # dB; stands for no error at all
_FLOAT = 1  # TensorProto.FLOAT

Factors = Mapping[str, npt.NDArray[np.float32]]
Write = Callable[[Any], Any]  # a float ModelProto to the quantized one


@dataclass(frozen=True)
class Smoothed:
    model: Any
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
        return Smoothed(model)
    judge = _Judge(model, quantized, samples, threads)
    best, kept, plain = model, frozenset[str](), judge.closeness(model)
    closest = plain
    for way, taken in (("folded", [s for s in sites if s.folds]), ("all", sites)):
        names = frozenset(s.tensor for s in taken) & factors.keys()
        if names == kept:
            continue
        tried = scaled(model, {name: factors[name] for name in names})
        closeness = judge.closeness(tried)
        if closeness >= closest + _WORTHWHILE_DB[way]:
            best, kept, closest = tried, names, closeness
    gain = round(closest - plain, 1)
    return Smoothed(best, tuple(_remedy(s, gain) for s in sites if s.tensor in kept))


def _remedy(site: Site, gain_db: float) -> Remedy:
    how = "folded into it" if site.folds else "by a Mul"
    return Remedy(site.maker, f"channels evened out with the weights behind, {how} (SmoothQuant)", gain_db)


def _factors(
    model: Any, sites: list[Site], samples: SamplesLike, threads: int, progress: Progress
) -> dict[str, npt.NDArray[np.float32]]:
    """Of the sites that are worth it."""
    if not sites:
        return {}
    indices = _evenly(samples.count, _LOOKED_AT)
    seen: list[list[Seen]] = [[] for _ in sites]
    for values in values_of(model, [s.tensor for s in sites], samples, indices, threads):
        for into, value in zip(seen, values, strict=True):
            into.append(Seen.of(np.asarray(value, np.float32)))
    found = {}
    for k, site in enumerate(sites):
        progress("smooth", k / len(sites))
        factors = best_factors(seen[k], _weights(model, site))
        if factors is not None:
            found[site.tensor] = factors
    progress("smooth", 1.0)
    return found


def _weights(model: Any, site: Site) -> npt.NDArray[np.float32]:
    """Of all products, [channels, outputs of all]."""
    from onnx import numpy_helper

    wanted = {node.input[1]: axis for node, axis in site.products}
    constants = next(scopes(model.graph)).constants
    held = {name: numpy_helper.to_array(constants[name]) for name in wanted}
    return np.concatenate([held[n] if axis == 0 else held[n].T for n, axis in wanted.items()], axis=1)


class _Judge:
    """Holds quantized graphs against float's answers on the same samples."""

    def __init__(self, model: Any, quantized: Write, samples: SamplesLike, threads: int) -> None:
        self.tensors = [o.name for o in model.graph.output if o.type.tensor_type.elem_type == _FLOAT]
        self.quantized, self.samples, self.threads = quantized, samples, threads
        self.indices = _evenly(samples.count, _JUDGED)
        self.reference = self._answers(model)

    def closeness(self, model: Any) -> float:
        """Mean SQNR of the outputs, in dB."""
        found = []
        for r, a in zip(self.reference, self._answers(self.quantized(model)), strict=True):
            found.append(sqnr_db(r[None], a[None]))
        return float(np.mean([_EXACT if db is None else db for db in found]))

    def _answers(self, model: Any) -> list[Array]:
        """Per tensor the values of all samples in a row."""
        values = list(values_of(model, self.tensors, self.samples, self.indices, self.threads))
        return [np.concatenate([np.ravel(v) for v in of_one]) for of_one in zip(*values, strict=True)]


def _evenly(count: int, most: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.linspace(0, count - 1, min(count, most)))
