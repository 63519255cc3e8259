"""What a quantization can be asked for: one object from the request to the passes, which read it as `context.options`.

A field gets its value from the request's option of the same name (edgeq/request/conversion_options.py), unset what the option's
`parse` makes of None. The defaults here are for callers without a request.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.nouns.passes import ALL
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.quantize.effort import DEFAULT


@dataclass(frozen=True)
class Options:
    """`calibrator` is a name of quantize/calibration/calibrators, or "auto": what comes closest to float. `passes` are those of
    edgeq/nouns/passes.py that may be used. `effort` is one of EFFORTS in effort.py. Below 8, static int8 has weights of so many `weight_bits` on
    average, still stored as int8, on `levels` of a kind of edgeq/nouns/weight_levels.py. `search_tries` bounds the search for the
    fewest layers in float, where the gate fails without any; None: by the work of one try. What calibration saw, and what the
    gate said of each file, is kept below `cache` for the same model and samples.
    """

    threads: int = 1
    calibrator: str = "auto"
    effort: str = DEFAULT
    weight_bits: float = 8
    levels: str = UNIFORM
    passes: Collection[str] = ALL
    search_tries: int | None = None
    cache: Path | None = None

    def of(self, candidate: CandidatePlan) -> "Options":
        """Those of one candidate, which may have weights of a number of bits of its own, on uniform levels."""
        if candidate.weight_bits is None:
            return self
        return replace(self, weight_bits=candidate.weight_bits, levels=UNIFORM)


DEFAULTS = Options()
