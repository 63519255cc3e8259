"""rollback(): what was live before is live again."""

from edgeq.deliver import activate
from edgeq.deliver.lock import locked
from edgeq.deliver.session import live_in_errors, session_for
from edgeq.nouns.release import App, Rollback
from edgeq.request.accepts import accepts
from edgeq.request.requests import RollbackRequest


@accepts(RollbackRequest)
def rollback(request: RollbackRequest) -> Rollback:
    """Make the previous release live again, or the kept release whose digest starts with `to`.

    Raises RemoteFailed when there is nothing to go back to, ArtifactCorrupt when that release is damaged: in both
    cases what is live stays live. A dry run raises the same, and returns what would be live.
    """
    name, to = request.name, request.to
    with (
        session_for(request, look_only=request.dry_run) as device,
        live_in_errors(device, name, request.tell),
    ):
        before = device.app(name)
        if before is None:
            raise device.no_app(name)
        if request.dry_run:
            return _done(before, activate.rollback(device.link, None, name, to), dry_run=True)
        with locked(device.link, f"rolling back {name}") as token:
            return _done(before, activate.rollback(device.link, token, name, to), dry_run=False)


def _done(before: App, after: App, *, dry_run: bool) -> Rollback:
    return Rollback(**vars(after), before=before.live, dry_run=dry_run)
