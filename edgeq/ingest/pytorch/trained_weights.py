"""Whether a file of weights holds a trained network (`edgeq finetune`), found without torch."""

import zipfile
from pathlib import Path

_MARK = b"X\x05\x00\x00\x00edgeq"  # as pickle writes the key of edgeq/train/tuned_file.py
_NAMES = "/data.pkl"  # of torch's zip: keys and shapes, no values
_MOST_NAMES = 64 * 2**20


def holds_trained_network(path: Path) -> bool:
    """False for other weights, and for what is damaged so far that they cannot be told."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = next((i for i in archive.infolist() if i.filename.endswith(_NAMES)), None)
            return names is not None and names.file_size < _MOST_NAMES and _MARK in archive.read(names)
    except (
        Exception
    ):  # zipfile raises whatever its bytes lead to: BadZipFile, UnicodeDecodeError, EOFError, zlib.error
        return False
