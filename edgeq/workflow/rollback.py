"""rollback(): what was live before is live again."""

from edgeq.deliver import activate
from edgeq.deliver.lock import locked
from edgeq.deliver.session import live_in_errors, session_for
from edgeq.nouns.release import App, Rollback
from edgeq.request.requests import RollbackRequest
from edgeq.request.takes import takes


@takes(RollbackRequest)
def rollback(asked: RollbackRequest) -> Rollback:
    """Make the previous release live again, or the kept release whose digest starts with `to`.

    Raises RemoteFailed when there is nothing to go back to, ArtifactCorrupt when that release is damaged: in both
    cases what is live stays live. A dry run raises the same, and returns what would be live.
    """
    name, to = asked.name, asked.to
    with (
        session_for(asked, look_only=asked.dry_run) as device,
        live_in_errors(device, name, asked.tell),
    ):
        before = device.app(name)
        if before is None:
            raise device.no_app(name)
        if asked.dry_run:
            return _done(before, activate.rollback(device.link, None, name, to), dry_run=True)
        with locked(device.link, f"rolling back {name}") as token:
            return _done(before, activate.rollback(device.link, token, name, to), dry_run=False)


def _done(before: App, after: App, *, dry_run: bool) -> Rollback:
    return Rollback(**vars(after), before=before.live, dry_run=dry_run)
