"""What one layer's quantization costs at the outputs, as a search ranks it."""

from dataclasses import dataclass

import numpy as np

from edgeq.nouns.fidelity import LayerError, is_finite_db, words_of_db

_NOTHING_DB = 190.0  # nothing is lost, as far as float32 tells


@dataclass(frozen=True)
class Noise:
    """`shares`: noise over signal (power) at each of the model's outputs with only this tensor or weight quantized.

    `leave` names what has to stay in float for the noise to vanish; `cause` is rounding or clipping.
    """

    layer: str
    leave: frozenset[str]
    shares: tuple[float, ...]
    cause: str

    @property
    def worst(self) -> float:
        return max(self.shares, default=0.0)

    @property
    def sqnr_db(self) -> float:
        """At the output that suffers most."""
        return -10.0 * float(np.log10(max(self.worst, 1e-20)))

    @property
    def in_words(self) -> str:
        """The SQNR says nothing of values that are small next to others, which may be all that is lost."""
        if self.sqnr_db >= _NOTHING_DB:
            return f"{self.cause} at {self.layer}: no measurable loss alone"
        figure = words_of_db(self.sqnr_db, figure="")
        if not is_finite_db(self.sqnr_db):
            return f"{self.cause} at {self.layer} alone makes the output {figure}"
        return f"{self.cause} at {self.layer} alone leaves {figure} at the output"

    def as_error(self) -> LayerError:
        return LayerError(self.layer, round(self.sqnr_db, 2), self.cause)
