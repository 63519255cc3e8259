"""The passes that improve a quantized model, by name: what each does, how a selection is written, what each changed."""

from dataclasses import dataclass
from typing import Optional

from .record import Record

PASSES = {
    "equalize": "channels between two layers equalized (cross-layer equalization)",
    "fuse": "operators rewritten or moved to use integer kernels and fewer conversions",
    "thin": "convolutions too small to gain from int8 stay in float",
    "joins": "operators after the last layers that would share one scale between small and large values stay in float",
    "embeddings": "embedding tables stored in 8 bits",
    "smooth": "outlier channels smoothed for dynamic int8 (SmoothQuant)",
    "head": "a small last layer stays in float",
    "fit": "weights and biases corrected for earlier rounding error, layer by layer",
    "mixed": "where the gate fails, the smallest set of layers kept in float that makes it hold",
}
"""In the order in which their results are listed; edgeq/quantize/pipelines.py has that in which they run."""

ALL = tuple(PASSES)
OFF = "switched off by --passes"


@dataclass(frozen=True)
class PassResult(Record):
    """Whether the pass `repair` (its name; the key is older than the word) was `kept`, and why. `gain_db`: by how much it raised
    the SQNR of the outputs on calibration samples, or would have; None where that was not measured.
    """

    repair: str
    kept: bool
    why: str
    gain_db: Optional[float] = None


@dataclass(frozen=True)
class StepCost(Record):
    """What a `step` of making a candidate took: a pass by its word in PASSES or, where it cannot be switched off, its module's
    name; "open", "judge" (of every file that the gate was asked about), "few-float" (the search for a second candidate with a few
    layers in float), "all-int8" (a second one with fewer) or "audit". `seconds` on the wall, `cpu_seconds` of all cores; those of a step within another are only
    its own. `gain_db`: by how much the pass, where it was kept, raised the SQNR of the outputs on calibration samples; None
    where that was not measured.
    """

    step: str
    seconds: float
    cpu_seconds: float
    gain_db: Optional[float] = None


@dataclass(frozen=True)
class AppliedChange(Record):
    """A change to a part of the graph so that it can be quantized, or quantized better. `gain_db`: by how much it raised the
    SQNR of the outputs on the calibration samples, where that was measured.
    """

    what: str
    how: str
    gain_db: Optional[float] = None


def passes_of(text: Optional[str]) -> tuple[str, ...]:
    """The names that `text` selects, in their order: "all", "none", "fit,head", or "-fit" for all but that; all for None.

    Raises ValueError, which names every unknown word and what is known, or that the words contradict each other.
    """
    if text is None:
        return ALL
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word.removeprefix("-") not in (*ALL, "all", "none")]
    unknown += [word for word in words if word in ("-all", "-none")]
    if unknown or not words:
        said = ", ".join(repr(word) for word in unknown) or repr(text)
        raise ValueError(
            f"there is no pass {said}; there are {', '.join(ALL)}, and all, none, or -NAME for all but that"
        )
    against = [word for word in words if f"-{word}" in words]
    if against or "none" in words[1:]:
        raise ValueError(
            f"{text!r} asks for a pass and against it; name passes, or none, or -NAME for all but that"
        )
    chosen = set(ALL) if words[0].startswith("-") else set[str]()
    for word in words:
        if word.startswith("-"):
            chosen.discard(word[1:])
        elif word != "none":
            chosen.update(ALL if word == "all" else (word,))
    return tuple(name for name in ALL if name in chosen)
