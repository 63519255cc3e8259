"""Who takes part: each peer is a file of peers/ with its pinned packages beside it, and edgeq itself.

A peer's file says `FORMAT` ("onnx" or "tflite") and `WAYS` (its name for a setting, and the bits of weights and
activations); `quantizer(way)` imports the library and returns the function that is timed.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
EDGEQ = "edgeq"


@dataclass(frozen=True)
class Way:
    """`bits` is "W8A8", "W4A8" or "W2A8"."""

    who: str
    setting: str
    format: str
    bits: str

    @property
    def id(self) -> str:
        words = f"{self.who}-{self.setting}-{self.format}-{self.bits}"
        return "".join(c if c.isalnum() or c in "-_" else "_" for c in words)

    @property
    def runtime(self) -> str:
        return {"onnx": "onnxruntime", "tflite": "litert"}[self.format]


OWN = (
    Way(EDGEQ, "default", "onnx", "W8A8"),
    Way(EDGEQ, "default", "tflite", "W8A8"),
    Way(EDGEQ, "reconstruction", "onnx", "W4A8"),
    Way(EDGEQ, "reconstruction", "onnx", "W2A8"),
)


def peers() -> tuple[str, ...]:
    return tuple(sorted(p.stem for p in PEERS.glob("*.py") if p.stem != "__init__"))


def ways_of(peer: str) -> tuple[Way, ...]:
    """By loading the file from its path: its name is that of the library that it drives."""
    path = PEERS / f"{peer}.py"
    spec = importlib.util.spec_from_file_location(f"{__package__}.peer_{peer}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return tuple(Way(peer, setting, module.FORMAT, bits) for setting, bits in module.WAYS.items())
