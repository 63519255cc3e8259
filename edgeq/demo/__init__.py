"""A small digit classifier and real digits to judge it by: what `edgeq demo` deploys. Made by `train_digits.py`."""

from pathlib import Path

_HERE = Path(__file__).parent


def demo_files() -> tuple[Path, Path]:
    """(model, data): the ONNX file, and the digits that were held out from its training, with labels."""
    return _HERE / "digits_cnn.onnx", _HERE / "digits.npz"
