"""What an application on a device uses: edgeq_runtime.py, which every candidate of a bundle carries (docs/application.md)."""

from pathlib import Path

RUNTIME = "edgeq_runtime.py"


def runtime_source() -> bytes:
    """The module as it lies in a release."""
    return Path(__file__).with_name(RUNTIME).read_bytes()


def load_lines(app: str, path: str, *, inputs: int, images: bool) -> tuple[str, str]:
    """What runs the live model of `app` when it is typed into the device's python3; `path` is that of its `current`. `inputs`:
    how many it has; `images`: whether it was converted with --preprocess.
    """
    given = ("an image or an array" if images else "an array") + (" per input" if inputs > 1 else "")
    return (
        f"import sys; sys.path.insert(0, {path!a}); from edgeq_runtime import load",
        f"model = load({app!a}); print(model(model.zeros()))  # in place of zeros: {given}",
    )
