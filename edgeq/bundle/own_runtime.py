"""Whether the code that a bundle brings to a device is this edgeq's: a bundle may come from an untrusted source."""

import hashlib

from edgeq.application import runtime_source
from edgeq.bundle.layout import contract_path, runtime_path
from edgeq.nouns.bundle import Manifest


def has_own_runtime(manifest: Manifest, candidate: str) -> bool:
    """Whether the files of `candidate` are its model, its contract and the edgeq_runtime.py of this edgeq, and no others that
    an import could find.
    """
    files = {a.path: a.sha256 for a in manifest.artifacts if a.path.startswith(f"candidates/{candidate}/")}
    module = runtime_path(candidate)
    expected = {manifest.candidate(candidate).model, contract_path(candidate), module}
    return set(files) == expected and files[module] == hashlib.sha256(runtime_source()).hexdigest()
