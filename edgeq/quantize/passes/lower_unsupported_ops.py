"""Forms of our own for what onnxruntime's quantizers pass by, before they see the graph: recurrent layers, embeddings."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from edgeq.nouns.repairs import OFF, Tried, counted
from edgeq.quantize.passes.embeddings import store_tables
from edgeq.quantize.passes.recurrent import Treated, treat_recurrent


def in_own_forms(model: Any, repairs: Collection[str]) -> tuple[Treated, Tried]:
    """`model` comes from float_graph.read and stays as it is; also what became of "embeddings". Raises ConversionFailed."""
    treated = treat_recurrent(model)
    if "embeddings" not in repairs:
        return treated, Tried("embeddings", False, OFF)
    changed, remedies = store_tables(treated.model)
    tried = Tried(
        "embeddings", bool(remedies), counted(len(remedies), "lookup") if remedies else "no large table"
    )
    forms = replace(
        treated,
        model=changed,
        remedies=(*treated.remedies, *remedies),
        stored=treated.stored or bool(remedies),
    )
    return forms, tried
