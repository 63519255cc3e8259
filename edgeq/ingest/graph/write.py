"""Writes the clean graph of a source."""

import shutil
from pathlib import Path

from edgeq.graphs.freed_memory import give_back
from edgeq.ingest.graph.clean import Cleaned


def write(cleaned: Cleaned, path: Path) -> Path:
    """The clean graph at `path`; a model with external weights is used in place."""
    if not cleaned.loaded.inlined:
        assert cleaned.loaded.path is not None
        return cleaned.loaded.path
    if cleaned.untouched and cleaned.loaded.path and not cleaned.loaded.external:
        shutil.copyfile(cleaned.loaded.path, path)
        return path
    give_back()  # writing takes as much again as the weights
    path.write_bytes(cleaned.proto.SerializeToString(deterministic=True))
    return path
