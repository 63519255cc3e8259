"""What a training leaves beside its output until it is over, so that an interrupted one goes on."""

from dataclasses import dataclass
from pathlib import Path

_ENDS = ("checkpoint", "smaller.onnx", "float.checkpoint")


@dataclass(frozen=True)
class KeptTraining:
    """`checkpoint` of the quantized network; `smaller`, the float graph that pruning and two factors left, and `float_checkpoint` of it."""

    checkpoint: Path
    smaller: Path
    float_checkpoint: Path

    @staticmethod
    def beside(output: Path) -> "KeptTraining":
        return KeptTraining(*(output.with_name(f"{output.name}.{end}") for end in _ENDS))

    def remove(self) -> None:
        """Raises OSError."""
        for path in (self.checkpoint, self.smaller, self.float_checkpoint):
            path.unlink(missing_ok=True)
