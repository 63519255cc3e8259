"""Which packages the environment holds: pins.txt, every file by its hash."""

import hashlib
from pathlib import Path

PINS = Path(__file__).with_name("pins.txt")


NAME = "onnx2tf"


def _version() -> str:
    lines = PINS.read_text().splitlines()
    return next(line.split()[0].partition("==")[2] for line in lines if line.startswith(f"{NAME}=="))


VERSION = _version()
CONVERTER = f"{NAME} {VERSION}"


def digest(pins: Path) -> str:
    """Names the environment that these pins make."""
    return hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
