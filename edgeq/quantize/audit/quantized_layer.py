"""One layer with weights, as it is found in a candidate's file beside float's."""

from dataclasses import dataclass

from edgeq.quantize.audit.layer_error import LayerError

FLOAT = "float"


@dataclass(frozen=True)
class SeenLayer:
    """`work` is its share, 0..1; `inside` names the nodes around it. `scheme` is FLOAT where it was not quantized. Where
    `error` is None and it was, `unmeasured` says why. `around`: nodes that what was done to them also serves it, as
    "<operator>: <name>".
    """

    name: str
    kind: str
    work: float
    scheme: str
    integer: bool
    inside: str = ""
    error: LayerError | None = None
    unmeasured: str = ""
    overflows: int | None = None
    around: frozenset[str] = frozenset()

    @property
    def quantized(self) -> bool:
        return self.scheme != FLOAT
