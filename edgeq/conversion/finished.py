"""A finished bundle with the results of its conversion."""

import time
from dataclasses import replace
from pathlib import Path

from edgeq.bundle import read_bundle, read_fidelity, read_noun
from edgeq.conversion import bundle_parts
from edgeq.conversion.cross_runtime_agreement import cross_runtime_agreement
from edgeq.nouns.data import DataUse
from edgeq.nouns.model import Model
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note
from edgeq.nouns.results import Conversion
from edgeq.nouns.tradeoff import Tradeoff
from edgeq.request.tell import Tell


def open_conversion(place: Path, tell: Tell) -> Conversion:
    conversion = read_conversion(place, time.monotonic(), reused=True)
    tell_again(conversion, f"{place} is a finished bundle: nothing was converted", tell)
    return conversion


def read_conversion(place: Path, start: float, reused: bool) -> Conversion:
    bundle = read_bundle(place)
    return Conversion(
        path=place,
        bundle=bundle,
        model=read_noun(bundle, bundle_parts.MODEL, Model),
        plan=read_noun(bundle, bundle_parts.PLAN, Plan),
        fidelity=read_fidelity(bundle),
        seconds=time.monotonic() - start,
        reused=reused,
        data=read_noun(bundle, bundle_parts.DATA, DataUse),
        between_runtimes=cross_runtime_agreement(bundle),
        tradeoff=read_noun(bundle, bundle_parts.TRADEOFF, Tradeoff),
    )


def tell_again(conversion: Conversion, why: str, tell: Tell) -> None:
    """Tells those results again, without their times."""
    tell(Note(why, detail=True))
    judged = (replace(fidelity, seconds=0.0, costs=(), next_effort=None) for fidelity in conversion.fidelity)
    for event in (conversion.model, conversion.plan, conversion.data, *judged, conversion.between_runtimes):
        if event is not None:
            tell(event)
