"""What `make` hands back."""

from dataclasses import dataclass
from pathlib import Path

from edgeq.nouns.fidelity import Fidelity
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.tensor import TensorSpec


@dataclass(frozen=True)
class Made:
    """A candidate that exists. `inputs` and `outputs` are the file's own names in its order, `input_types` its element
    types where the runtime tells them; `memory_bytes` is the predicted peak above the loaded runtime; `min_runtime` the
    oldest runtime version that reads the file, if known. `takes` and `gives`: its inputs and outputs as they are where an
    application feeds it integers that stand for reals; else empty. `few`: the same with a few layers in float, a candidate
    of its own.
    """

    plan: CandidatePlan
    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    min_runtime: str | None
    memory_bytes: int
    fidelity: Fidelity
    input_types: tuple[str, ...] = ()
    takes: tuple[TensorSpec, ...] = ()
    gives: tuple[TensorSpec, ...] = ()
    few: "Made | None" = None
