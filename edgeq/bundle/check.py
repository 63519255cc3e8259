"""Every way in which a bundle can be wrong, as sentences. Judges names, sizes and kinds; reads no content.

Nothing in a bundle is compressed, so no entry can be larger than the file it comes in: that is the whole defence
against zip bombs, and it holds for entries that overlap as well.
"""

import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence

from edgeq.bundle.layout import MANIFEST, SIDECAR, contract_path, is_safe_name, why_unsafe
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.tensor import TensorSpec

MANIFEST_LIMIT = 16_000_000  # bytes; a manifest lists files, it does not hold them
ENTRY_LIMIT = 10_000

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_ENCRYPTED = 0x1


def manifest_problems(manifest: Manifest) -> list[str]:
    """What contradicts itself in a manifest, or could not be installed."""
    return [
        *_naming_problems(manifest),
        *_artifact_problems(manifest),
        *_candidate_problems(manifest),
        *signature_problems(manifest.candidates, manifest.inputs, manifest.outputs),
    ]


def signature_problems(
    candidates: Sequence[Candidate], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> list[str]:
    """Candidates whose own inputs and outputs cannot be matched with the model's by their order."""
    return [
        f"candidate {c.id!r} has {len(c.inputs)} inputs and {len(c.outputs)} outputs, "
        f"the model {len(inputs)} and {len(outputs)}"
        for c in candidates
        if (len(c.inputs), len(c.outputs)) != (len(inputs), len(outputs))
    ]


def entry_problems(entry: zipfile.ZipInfo) -> list[str]:
    """What makes one entry of the archive unfit to be read, whatever is in the manifest."""
    name = entry.orig_filename  # `filename` has lost what follows a NUL
    problems = []
    unsafe = why_unsafe(name.removesuffix("/"))
    if unsafe:
        problems.append(f"{name!r} {unsafe}")
    mode = entry.external_attr >> 16
    if name.endswith("/"):
        problems.append(f"{name!r} is a folder; a bundle holds files only")
    elif mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        problems.append(f"{name!r} is a link or a device, not a file")
    if entry.flag_bits & _ENCRYPTED:
        problems.append(f"{name!r} is encrypted")
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        ratio = f" ({entry.file_size:,} bytes out of {entry.compress_size:,})"
        problems.append(f"{name!r} is compressed{ratio}; a bundle stores its files as they are")
    return problems


def archive_problems(entries: Sequence[zipfile.ZipInfo], archive_bytes: int) -> list[str]:
    """What is wrong with the entries together: too many, one name twice, more content than the file has bytes."""
    problems = []
    if len(entries) > ENTRY_LIMIT:
        problems.append(f"{len(entries):,} entries; a bundle has at most {ENTRY_LIMIT:,}")
    # Names that differ only in case are one file on some disks.
    seen = Counter(entry.orig_filename.casefold() for entry in entries)
    problems += [f"{name!r} is there {count} times" for name, count in sorted(seen.items()) if count > 1]
    declared = sum(entry.file_size for entry in entries)
    if declared > archive_bytes:
        problems.append(f"the entries declare {declared:,} bytes, the whole file has {archive_bytes:,}")
    if MANIFEST not in {entry.filename for entry in entries}:
        problems.append(f"{MANIFEST} is missing")
    return problems


def content_problems(manifest: Manifest, entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Missing files, files that the manifest does not know, and sizes other than the manifest's."""
    sizes = {entry.filename: entry.file_size for entry in entries}
    expected = {artifact.path: artifact.size for artifact in manifest.artifacts}
    problems = [f"{path} is missing" for path in expected if path not in sizes]
    problems += [
        f"{path!r} is not in the manifest"
        for path in sizes
        if path not in expected and path != MANIFEST and not path.startswith(SIDECAR)
    ]
    problems += [
        f"{path} has {sizes[path]:,} bytes, the manifest says {size:,}"
        for path, size in expected.items()
        if path in sizes and sizes[path] != size
    ]
    return problems


def _naming_problems(manifest: Manifest) -> Iterator[str]:
    if not is_safe_name(manifest.name):
        yield f"the name {manifest.name!r} is not a plain file name (letters, digits, . _ + -)"
    if not manifest.candidates:
        yield "there is no candidate"
    for what, value in (("source_sha256", manifest.source_sha256), ("data_sha256", manifest.data_sha256)):
        if value is not None and not _SHA256.match(value):
            yield f"{what} is not a sha256: {value!r}"


def _artifact_problems(manifest: Manifest) -> Iterator[str]:
    paths = [artifact.path for artifact in manifest.artifacts]
    if paths != sorted(paths):
        yield "the artifacts are not sorted by path"
    for path, count in Counter(path.casefold() for path in paths).items():
        if count > 1:
            yield f"artifact {path!r} is listed {count} times"
    owners = tuple(f"candidates/{candidate.id}/" for candidate in manifest.candidates)
    for artifact in manifest.artifacts:
        unsafe = why_unsafe(artifact.path)
        if unsafe:
            yield f"artifact {artifact.path!r} {unsafe}"
        elif not artifact.path.startswith(owners):
            yield f"artifact {artifact.path!r} belongs to no candidate"
        if artifact.size < 0 or not _SHA256.match(artifact.sha256):
            yield f"artifact {artifact.path!r} has no valid size and sha256"


def _candidate_problems(manifest: Manifest) -> Iterator[str]:
    for id, count in Counter(candidate.id.casefold() for candidate in manifest.candidates).items():
        if count > 1:
            yield f"candidate {id!r} is listed {count} times"
    paths = {artifact.path for artifact in manifest.artifacts}
    for c in manifest.candidates:
        if not is_safe_name(c.id):
            yield f"candidate {c.id!r} is not a plain file name"
        if not c.model.startswith(f"candidates/{c.id}/"):
            yield f"candidate {c.id!r} has its model elsewhere: {c.model!r}"
        for path in (c.model, contract_path(c.id)):
            if path not in paths:
                yield f"candidate {c.id!r} needs {path!r}, which is not among the artifacts"
