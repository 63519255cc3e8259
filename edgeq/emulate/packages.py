"""Runtimes for another architecture's Python: the wheels that a device would get, unpacked once into the cache."""

import tempfile
import zipfile
from pathlib import Path

from edgeq.deliver import preflight
from edgeq.deliver.provision import resolve
from edgeq.nouns.delivery import Wheel
from edgeq.nouns.device import Facts
from edgeq.nouns.target import Target
from edgeq.request.tell import Tell


def python_path(runtime: str, facts: Facts, target: Target, cache: Path, tell: Tell) -> tuple[Path, ...]:
    """Folders for sys.path. Raises DeviceUnfit where `runtime` is not to be had there, ExtraMissing and ArtifactCorrupt
    where it cannot be downloaded.
    """
    preflight.require_libraries(facts, "the root file system")
    found = resolve(runtime, facts, target, cache=cache / "wheels", tell=tell)
    return tuple(_unpacked(wheel, cache / "sites") for wheel in found.wheels)


def _unpacked(wheel: Wheel, sites: Path) -> Path:
    """Its bytes are the pinned ones (resolve has checked them); whole or not there, whoever else does the same."""
    place = sites / wheel.folder
    if not place.is_dir():
        sites.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=sites, prefix=".unpack-") as folder:
            beside = Path(folder) / wheel.folder
            with zipfile.ZipFile(wheel.file) as archive:
                archive.extractall(beside)
            try:
                beside.rename(place)
            except OSError:  # somebody else was quicker
                if not place.is_dir():
                    raise
    return place
