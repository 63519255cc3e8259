"""A note where a torch factory is used without --weights although files of weights are next to it."""

from pathlib import Path

from edgeq.nouns.progress import Note

_NAMED = 3


def unused_weights(model: str, weights: object) -> tuple[Note, ...]:
    """A factory may well load its own; untrained parameters convert without an error, and are worth nothing."""
    if weights is not None or ".py:" not in model:
        return ()
    from edgeq.ingest.find import find

    file = Path(model.rpartition(":")[0])
    beside = find(file.parent).weights
    if not beside:
        return ()
    files = ", ".join(beside[:_NAMED]) + (f" and {len(beside) - _NAMED} more" if len(beside) > _NAMED else "")
    why = f"no --weights: {model} keeps the parameters that it is built with, though {files} is next to it"
    return (Note(why),)
