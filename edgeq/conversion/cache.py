"""Where a conversion's bundle is in edgeq's cache, and whether it was made by the same job."""

from pathlib import Path

import platformdirs

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.errors import BundleRefused
from edgeq.nouns.record import digest_of


def folder() -> Path:
    """edgeq's cache of this user."""
    return Path(platformdirs.user_cache_dir("edgeq"))


def of_samples() -> Path:
    """What was computed from a model and samples."""
    return folder() / "calibration"


def place(job: ConversionJob) -> Path:
    """Where the bundle of this job belongs in the cache."""
    key = job.key or digest_of([job.model, job.name, job.target.name])
    return folder() / "bundles" / f"{job.name}-{key[:24]}.edgeq"


def holds(job: ConversionJob, path: Path) -> bool:
    """Whether `path` is a complete bundle of this job. A damaged one is made again."""
    from edgeq.bundle import read_bundle

    if not job.key or not path.is_file():
        return False
    try:
        return read_bundle(path).beside("order") == job.key.encode()
    except BundleRefused:
        return False
