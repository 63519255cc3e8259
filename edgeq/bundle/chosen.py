"""One candidate of a bundle by its id."""

from edgeq.errors import TargetRefused
from edgeq.nouns.bundle import Bundle, Candidate


def candidate_of(bundle: Bundle, id: str) -> Candidate:
    """Raises TargetRefused with those that there are."""
    for candidate in bundle.manifest.candidates:
        if candidate.id == id:
            return candidate
    raise TargetRefused(
        f"{bundle.path} has no candidate {id}",
        f"its candidates: {', '.join(c.id for c in bundle.manifest.candidates)}",
    )
