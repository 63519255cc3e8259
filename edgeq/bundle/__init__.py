"""The bundle file `model.edgeq`: all candidates for one target in one zip (docs/bundle.md).

Knows files and hashes; what a model computes, and on what device, is for others.
"""

from edgeq.bundle.assemble import assemble
from edgeq.bundle.contract import contract
from edgeq.bundle.destination import require_destination
from edgeq.bundle.npy import npy_array, npy_bytes
from edgeq.bundle.read import OpenBundle, read_bundle
from edgeq.bundle.sidecar import CheckSet, read_check, read_fidelity, read_noun, sidecar_files
from edgeq.bundle.write import write_bundle

__all__ = [
    "CheckSet",
    "OpenBundle",
    "assemble",
    "contract",
    "npy_array",
    "npy_bytes",
    "read_bundle",
    "read_check",
    "read_fidelity",
    "read_noun",
    "require_destination",
    "sidecar_files",
    "write_bundle",
]
