"""rollback(): what was live before is live again."""

from edgeq import catalog
from edgeq.deliver import activate
from edgeq.deliver.lock import locked
from edgeq.errors import TargetRefused
from edgeq.nouns.release import App, Rollback
from edgeq.workflow.paths import AnyPath
from edgeq.workflow.session import Login, session, truth_about
from edgeq.workflow.tell import Tell, silence


def rollback(
    name: str,
    *,
    target: AnyPath = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: AnyPath | None = None,
    to: str | None = None,
    dry_run: bool = False,
    tell: Tell = silence,
) -> Rollback:
    """Make the activation before the live one live again, or the kept release whose digest starts with `to`.

    Raises RemoteFailed when there is nothing to go back to, ArtifactCorrupt when that release is damaged: in both
    cases what is live stays live. A dry run raises the same, and returns what would be live.
    """
    kind = catalog.target(target)
    with (
        session(kind, login, root=root, look_only=dry_run, tell=tell) as device,
        truth_about(device, name, tell),
    ):
        before = device.app(name)
        if before is None:
            known = ", ".join(a.name for a in device.status().apps) if device.installed else ""
            raise TargetRefused(
                f"{device.label} has nothing under the name {name}",
                f"it has: {known}" if known else "it has nothing",
            )
        if dry_run:
            return _done(before, activate.rollback(device.link, None, name, to), dry_run=True)
        with locked(device.link, f"rolling back {name}") as token:
            return _done(before, activate.rollback(device.link, token, name, to), dry_run=False)


def _done(before: App, after: App, *, dry_run: bool) -> Rollback:
    return Rollback(**vars(after), before=before.live, dry_run=dry_run)
