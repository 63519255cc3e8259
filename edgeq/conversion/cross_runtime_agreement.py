"""How closely the runtimes agree with each other: their int8 candidates on the samples in the bundle.

The device may run either; an application that was tried with one should know what the other changes.
"""

from itertools import product

from edgeq.bundle import read_check
from edgeq.nouns.bundle import Bundle, Candidate, Manifest
from edgeq.nouns.fidelity import BetweenRuntimes


def cross_runtime_agreement(bundle: Bundle) -> BetweenRuntimes | None:
    """By the host's outputs; None where fewer than two runtimes have an int8 candidate, or the bundle has no samples."""
    pair = _pair(bundle.manifest)
    check = read_check(bundle) if pair else None
    if pair is None or check is None or any(c.id not in check.outputs for c in pair):
        return None
    from edgeq.bundle.score_output import score_output
    from edgeq.quantize.evaluate.judge import agreement_of
    from edgeq.quantize.evaluate.sqnr import sqnr_db

    first, second = (check.outputs[c.id] for c in pair)
    errors = [db for a, b in zip(first, second, strict=True) if (db := sqnr_db(a, b)) is not None]
    rows = tuple(tuple(a.reshape(len(a), -1) if _one_row(a.shape) else a for a in x) for x in (first, second))
    scores = score_output(bundle, check, rows[0])
    agrees = agreement_of(rows[0], rows[1], scores)
    return BetweenRuntimes(
        first=pair[0].id,
        second=pair[1].id,
        samples=len(check.inputs[0]),
        sqnr_db=min(errors, default=None),
        top1=agrees.top1 if agrees else None,
    )


def _one_row(shape: tuple[int, ...]) -> bool:
    """[samples, 1, classes]: an output with the batch of one that the model has."""
    return len(shape) == 3 and shape[1] == 1


def _pair(manifest: Manifest) -> tuple[Candidate, Candidate] | None:
    """Of one recipe where there are such; else the fastest expected of each runtime."""
    integer = [c for c in manifest.candidates if c.recipe.startswith("int8")]
    pairs = [(a, b) for a, b in product(integer, repeat=2) if a.runtime < b.runtime]
    return next((p for p in pairs if p[0].recipe == p[1].recipe), pairs[0] if pairs else None)
