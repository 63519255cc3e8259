"""What a manifest must keep to before a single file of it is touched."""

from collections import Counter
from collections.abc import Iterator

from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import PYTHON_PATH, SCHEMA, Artifact, Candidate, Manifest
from edgeq.nouns.safe_names import is_name, is_sha256, problem_of_path

# Beside the artifacts a release holds files of the agent's own; none of the bundle's may take their place.
MANIFEST = "manifest.json"
RELEASE = "release.json"
JOBS = "jobs"


def records(manifest: Manifest) -> "set[str]":
    """Paths of the agent's own files in a release of `manifest`."""
    of_candidates = ((f"{JOBS}/{c.id}.json", f"candidates/{c.id}/{PYTHON_PATH}") for c in manifest.candidates)
    return {RELEASE, *(path for paths in of_candidates for path in paths)}


def require_safe(manifest: Manifest) -> None:
    """Raises BundleRefused with every problem of the manifest."""
    if manifest.schema != SCHEMA:
        raise BundleRefused(
            f"the bundle has schema {manifest.schema}; this agent reads schema {SCHEMA}",
            "convert the model again with the edgeq that deploys it",
        )
    problems = tuple(problems_of(manifest))
    if problems:
        raise BundleRefused(
            f"the bundle's manifest is not safe to install: {len(problems)} problems",
            "convert the model again; a bundle from elsewhere may have been tampered with",
            details=problems,
        )


def problems_of(manifest: Manifest) -> Iterator[str]:
    if not is_name(manifest.name):
        yield f"name {manifest.name!r}: letters, digits and ._- only, not beginning with a dot"
    if not manifest.candidates:
        yield "candidates: there are none"
    for artifact in manifest.artifacts:
        yield from _artifact_problems(artifact)
    yield from _clashes([a.path for a in manifest.artifacts])
    paths = {a.path for a in manifest.artifacts}
    for candidate in manifest.candidates:
        yield from _candidate_problems(candidate, paths)
    for id, times in Counter(c.id for c in manifest.candidates).items():
        if times > 1:
            yield f"candidate {id!r}: occurs {times} times"


def _artifact_problems(artifact: Artifact) -> Iterator[str]:
    where = f"artifact {artifact.path!r}"
    problem = problem_of_path(artifact.path)
    if problem:
        yield f"{where}: the path {problem}"
    elif any(part.startswith(".") for part in artifact.path.split("/")):
        yield f"{where}: the path has a component that begins with a dot"
    elif artifact.path.split("/")[0] in (MANIFEST, RELEASE, JOBS) or artifact.path.endswith(
        f"/{PYTHON_PATH}"
    ):
        yield f"{where}: the path is the agent's own"
    if not is_sha256(artifact.sha256):
        yield f"{where}: sha256 {artifact.sha256!r} is not 64 hex digits"
    if artifact.size < 0:
        yield f"{where}: size {artifact.size} is negative"


def _clashes(paths: list[str]) -> Iterator[str]:
    for path, times in Counter(paths).items():
        if times > 1:
            yield f"artifact {path!r}: occurs {times} times"
    folders = {"/".join(p.split("/")[:n]) for p in paths for n in range(1, p.count("/") + 1)}
    for path in sorted(folders & set(paths)):
        yield f"artifact {path!r}: is a file and a folder"


def _candidate_problems(candidate: Candidate, paths: set[str]) -> Iterator[str]:
    where = f"candidate {candidate.id!r}"
    if not is_name(candidate.id):
        yield f"{where}: letters, digits and ._- only, not beginning with a dot"
    if candidate.model not in paths:
        yield f"{where}: its model {candidate.model!r} is no artifact"
    if not candidate.model.startswith(f"candidates/{candidate.id}/"):
        yield f"{where}: its model {candidate.model!r} does not lie below candidates/{candidate.id}/"
