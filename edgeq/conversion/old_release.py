"""The files of a release that this host converted earlier, for what is sent as the difference to them."""

from edgeq.bundle import read_bundle
from edgeq.conversion.cache import folder
from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import Manifest

Old = dict[str, tuple[str, bytes]]


def old_files(name: str, digest: str | None, new: Manifest) -> Old:
    """By sha256 of a file of `new`: sha256 and content of the one that stands in its place in the release `digest`. Empty where that
    is not in the cache any more.
    """
    if digest is None:
        return {}
    for path in sorted((folder() / "bundles").glob(f"{name}-*.edgeq")):
        try:
            bundle = read_bundle(path, expect=digest)
        except BundleRefused:
            continue
        with bundle:
            there = {a.path: a for a in bundle.manifest.artifacts}
            pairs = ((a, there[a.path]) for a in new.artifacts if a.path in there)
            return {a.sha256: (b.sha256, bundle.artifact(b.path)) for a, b in pairs if a.sha256 != b.sha256}
    return {}
