"""How long a model in a file takes to open: read, brought into one form, and compared with what it was."""

from pathlib import Path

_LEAST_S, _BYTE_S = 1.0, 6e-8  # measured: files of 20, 102 and 346 MB took 1.7, 5.6 and 23.5 s


def opening_seconds(model: str) -> float | None:
    """Estimated; None for what is no file."""
    path = Path(model)
    return _LEAST_S + _BYTE_S * path.stat().st_size if path.is_file() else None
