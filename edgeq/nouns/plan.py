"""Which candidates are built for a target and why, decided before anything is done."""

from dataclasses import dataclass, field
from typing import Optional

from .record import Record


@dataclass(frozen=True)
class Scheme(Record):
    """How integers represent floats. Types are "int8", "uint8" or "int16"; `reduce_range` gives weights 7 bits; `pairs_fit`
    widens scales until no two neighbouring products overflow 16 bits (AVX2 without VNNI).
    `thin_in_float`: convolutions with few products per output are faster in float there. `integer_io`: inputs and outputs of
    the file are integers, where they are usually float.
    """

    activations: str
    weights: str
    per_channel: bool
    reduce_range: bool = False
    thin_in_float: bool = False
    pairs_fit: bool = False
    integer_io: bool = False

    def __str__(self) -> str:
        letter = {"int8": "S8", "uint8": "U8", "int16": "S16"}
        text = f"{letter[self.activations]}{letter[self.weights]} {'per channel' if self.per_channel else 'per tensor'}"
        text += ", weights reduced to 7 bits" if self.reduce_range else ""
        text += ", 16-bit headroom" if self.pairs_fit else ""
        return text + (f", {self.activations} in and out" if self.integer_io else "")


@dataclass(frozen=True)
class CandidatePlan(Record):
    """One thing to build. `id` is "<runtime>-<recipe>", with "-few-float" where a few layers stay in float for what they win,
    "-all-int8" where those are quantized that may be faster in float; "-4bit" where weights have fewer bits than the recipe says
    (`weight_bits`; None: as many as were asked for); unique in a bundle and a valid file name. `pairs_saturate`: the file comes as it is, and the target's kernels add pairs of
    its products in 16 bits. `network`: the variant of the trained network that it runs, where there are several.
    """

    id: str
    runtime: str
    recipe: str
    format: str
    reason: str
    scheme: Optional[Scheme] = None
    pairs_saturate: bool = False
    weight_bits: Optional[float] = None
    network: str = ""


@dataclass(frozen=True)
class Skipped(Record):
    """What was left out, and why: a candidate, an example file, a tensor without its match."""

    what: str
    reason: str


@dataclass(frozen=True)
class Plan(Record):
    """Candidates in order of expected speed, fastest first; the first is activated where no race is possible.
    `fallbacks` are built where no quantized candidate is close enough to float.
    """

    target: str
    candidates: tuple[CandidatePlan, ...]
    skipped: tuple[Skipped, ...] = field(default=())
    fallbacks: tuple[CandidatePlan, ...] = ()
