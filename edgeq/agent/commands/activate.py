"""`activate`: an installed release goes live as one of its candidates, and old releases go."""

from dataclasses import dataclass, replace
from typing import Optional

from edgeq.agent import lock
from edgeq.agent.apps import Activation, app_view, require_app
from edgeq.agent.job_rules import require_safe_job
from edgeq.agent.layout import Root
from edgeq.agent.made_ready import made_ready
from edgeq.agent.remembered import remember_job
from edgeq.agent.switch import prune, switch
from edgeq.errors import RemoteFailed
from edgeq.nouns.job import Job
from edgeq.nouns.record import Record
from edgeq.nouns.release import App


@dataclass(frozen=True)
class Request(Record):
    """`job` is how this candidate is measured from now on (`periodic`); None leaves what was remembered. `not_compared`:
    why its speed was not compared with that of the others.
    """

    token: str
    app: str
    digest: str
    candidate: str
    keep: int = 3
    job: Optional[Job] = None
    not_compared: Optional[str] = None


def answer(request: Request, root: Root) -> App:
    with lock.held(root, request.token):
        require_app(root, request.app)
        kept = _require_candidate(request, root)
        if request.job is not None:
            require_safe_job(request.job)
            remember_job(root, request.app, request.digest, request.candidate, request.job)
        switch(root, request.app, Activation(request.digest, request.candidate, "", request.not_compared))
        prune(root, request.app, request.keep)
        return replace(app_view(root, request.app), kept=kept)


def _require_candidate(request: Request, root: Root) -> Optional[str]:
    """Nothing goes live that was not verified in full just now. The folder of what others had put there."""
    if request.digest not in {r.digest for r in app_view(root, request.app).releases}:
        raise RemoteFailed(f"{request.app} has no release {request.digest[:7]}", "install it first")
    manifest, kept = made_ready(root, request.app, request.digest)
    candidates = [c.id for c in manifest.candidates]
    if request.candidate not in candidates:
        raise RemoteFailed(
            f"release {request.digest[:7]} has no candidate {request.candidate!r}",
            f"it has: {', '.join(candidates)}",
        )
    return kept
