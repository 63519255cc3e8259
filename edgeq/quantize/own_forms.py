"""Forms of our own for what onnxruntime's quantizers pass by, before they see the graph: recurrent layers, embeddings."""

from dataclasses import replace
from typing import Any

from .embedding import store_tables
from .recurrent import Treated, treat_recurrent


def in_own_forms(model: Any) -> Treated:
    """`model` comes from float_graph.read and stays as it is. Raises ConversionFailed."""
    treated = treat_recurrent(model)
    changed, remedies = store_tables(treated.model)
    return replace(
        treated,
        model=changed,
        remedies=(*treated.remedies, *remedies),
        stored=treated.stored or bool(remedies),
    )
