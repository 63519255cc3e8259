"""rollback(): what was live before is live again."""

from edgeq import catalog
from edgeq.deliver import activate
from edgeq.deliver.lock import locked
from edgeq.errors import TargetRefused
from edgeq.nouns.progress import Note
from edgeq.nouns.release import App
from edgeq.workflow.paths import AnyPath
from edgeq.workflow.session import Login, session, truth_about
from edgeq.workflow.tell import Tell, silence


def _goal(app: App, to: str | None) -> str:
    """What a rollback would lead to, as far as the device's list of releases tells."""
    if to is None:
        return app.previous[:7] if app.previous else "nothing (no other release was live before)"
    fitting = [r.digest[:7] for r in app.releases if r.digest.startswith(to)]
    return (
        fitting[0]
        if len(fitting) == 1
        else f"{len(fitting)} releases beginning with {to}: one is needed, none"
    )


def rollback(
    name: str,
    *,
    target: AnyPath = "local",
    login: Login = Login(),  # noqa: B008  (frozen)
    root: AnyPath | None = None,
    to: str | None = None,
    dry_run: bool = False,
    tell: Tell = silence,
) -> App:
    """Make the activation before the live one live again, or the kept release whose digest starts with `to`.

    Raises RemoteFailed when there is nothing to go back to, ArtifactCorrupt when that release is damaged: in both
    cases what is live stays live.
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
            tell(
                Note(
                    f"dry run: {_goal(before, to)} would go live instead of {(before.live or 'nothing')[:7]}"
                )
            )
            return before
        with locked(device.link, f"rolling back {name}") as token:
            return activate.rollback(device.link, token, name, to)
