"""What is live under which name, and what was before: read from the links and files below apps/."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Optional

from edgeq.agent.clock import utc_text
from edgeq.agent.layout import Root
from edgeq.agent.manifest_rules import RELEASE
from edgeq.agent.owned import is_app
from edgeq.agent.stored import Unreadable, read_json
from edgeq.agent.verify import read_manifest
from edgeq.errors import RemoteFailed
from edgeq.nouns.record import Record
from edgeq.nouns.release import App, Release
from edgeq.nouns.safe_names import is_name, is_sha256

_NAMED = 3  # apps in one line


@dataclass(frozen=True)
class Activation(Record):
    """One line of history.json. `not_compared`: why its speed had not been compared with the others' by then."""

    digest: str
    candidate: str
    utc: str
    not_compared: Optional[str] = None

    def same_as(self, other: "Activation") -> bool:
        return (self.digest, self.candidate) == (other.digest, other.candidate)


def app_names(root: Root) -> tuple[str, ...]:
    """Raises PermissionError where this user may not look, where "none" would be wrong."""
    try:
        found = sorted(root.apps.iterdir())
    except FileNotFoundError:
        return ()
    return tuple(p.name for p in found if is_app(p))


def require_app_name(app: str) -> None:
    if not is_name(app):
        raise RemoteFailed(
            f"{app!r} cannot be the name of an app",
            "letters, digits and ._- only, not beginning with a dot (--name)",
        )


def require_app(root: Root, app: str) -> None:
    if app not in app_names(root):
        here = ", ".join(app_names(root)) or "none"
        raise RemoteFailed(f"there is no app {app!r} on this device", f"apps here: {here}")


def live(root: Root, app: str) -> Optional[Activation]:
    """What `current` points to; the link alone decides, history.json only remembers."""
    link = root.current(app)
    try:
        target = PurePosixPath(link.readlink())
        since = utc_text(link.lstat().st_mtime)
    except OSError:  # no link there, or something that is no link
        return None
    if len(target.parts) != 4 or (target.parts[0], target.parts[2]) != ("releases", "candidates"):
        return None
    digest, candidate = target.parts[1], target.parts[3]
    return Activation(digest, candidate, since) if is_sha256(digest) and is_name(candidate) else None


def history(root: Root, app: str) -> tuple[Activation, ...]:
    """Oldest first, the live one last. A switch that was cut off before it was written down is put right here."""
    try:
        stored = read_json(root.history(app))
        entries = [Activation.from_dict(raw) for raw in stored] if isinstance(stored, list) else []
        known = tuple(e for e in entries if is_sha256(e.digest) and is_name(e.candidate))
    except (FileNotFoundError, Unreadable, ValueError, TypeError):
        known = ()
    now = live(root, app)
    if now is None or (known and known[-1].same_as(now)):
        return known
    return (*known, now)


def previous(root: Root, app: str) -> Optional[Activation]:
    """The activation before the live one that was of something else and whose release is still here."""
    past = history(root, app)
    now = live(root, app)
    for entry in reversed(past):
        if (now is None or not entry.same_as(now)) and root.release(app, entry.digest).is_dir():
            return entry
    return None


def releases(root: Root, app: str) -> tuple[Release, ...]:
    """All complete releases: the live one, then those that were live, latest first, then by time of installation."""
    order = {entry.digest: i for i, entry in enumerate(history(root, app))}
    found = [_release(root, app, p.name) for p in root.releases(app).glob("*") if is_sha256(p.name)]
    return tuple(
        sorted(found, key=lambda r: (order.get(r.digest, -1), r.installed_utc, r.digest), reverse=True)
    )


def app_view(root: Root, app: str) -> App:
    past = history(root, app)
    now = live(root, app)
    before = previous(root, app)
    return App(
        name=app,
        path=str(root.current(app)),
        live=now.digest if now else None,
        candidate=now.candidate if now else None,
        since_utc=past[-1].utc if now else None,
        previous=before.digest if before else None,
        releases=releases(root, app),
        not_compared=past[-1].not_compared if now else None,
    )


def what_is_live(root: Root, app: Optional[str]) -> str:
    """For an error's last line: "resnet56 = 81aa03e (litert-int8)", of one app or of the first few; "" where
    that cannot be read. Raises nothing.
    """
    try:
        names = [app] if app is not None and is_name(app) else list(app_names(root))
        found = [(name, live(root, name)) for name in names[:_NAMED]]
    except OSError:
        return ""
    said = [
        f"{name} = {now.digest[:7]} ({now.candidate})" if now else f"{name} = nothing" for name, now in found
    ]
    more = f" and {len(names) - _NAMED} more (`edgeq status`)" if len(names) > _NAMED else ""
    return (", ".join(said) or "nothing") + more


def _release(root: Root, app: str, digest: str) -> Release:
    folder = root.release(app, digest)
    try:
        known = Release.from_dict(read_json(folder / RELEASE))
        if known.digest == digest:  # it names what is removed
            return known
    except (FileNotFoundError, Unreadable, ValueError):
        pass
    manifest = read_manifest(
        folder
    )  # the record is a convenience; the manifest and the files are the release
    return Release(digest, "", sum(a.size for a in manifest.artifacts) if manifest else 0)
