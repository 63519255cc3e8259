"""The last step of a delivery and the way back: what is live on the device changes here and nowhere else."""

import contextlib
from collections.abc import Collection, Iterator

from edgeq.deliver.agent_link import AgentLink
from edgeq.errors import DeviceError, NoSpace
from edgeq.nouns.job import Job
from edgeq.nouns.release import App


def activate(
    link: AgentLink,
    token: str,
    app: str,
    digest: str,
    candidate: str,
    keep: int,
    job: Job,
    not_compared: str | None,
) -> App:
    """Make `candidate` of an installed release live by one atomic rename; `job` is remembered for periodic
    measurements, `not_compared` (why its speed was not) for whoever asks. Older releases beyond `keep` are removed.
    """
    request: dict[str, object] = {"token": token, "app": app, "digest": digest}
    request |= {"candidate": candidate, "keep": keep, "not_compared": not_compared, "job": job.to_dict()}
    live: App = link.call("activate", request, timeout_s=120)
    return live


def rollback(link: AgentLink, token: str | None, app: str, to: str | None) -> App:
    """Make the activation before the live one (or the release whose digest starts with `to`) live again. Without a token: what
    that would lead to, verified on the device; nothing is changed.
    """
    request = {"app": app, "token": token} if token is not None else {"app": app, "dry_run": True}
    request |= {"to": to} if to else {}
    live: App = link.call("rollback", request, timeout_s=300)
    return live


def take_back(link: AgentLink, token: str, releases: Collection[tuple[str, str]]) -> None:
    """What was broken off: `releases` (app, digest) are discarded, and what was uploaded for them is swept.

    An `install` that was sent, and that nobody waits for, must not come after that: it is refused, as all but giving
    the device back is under `token` from here on.
    """
    try:
        token = link.call("lock", {"token": token, "anew": True}, timeout_s=20).token
    except NoSpace:
        pass  # nor has an install any room
    except DeviceError:
        return
    remove(link, token, releases)


def remove(link: AgentLink, token: str, releases: Collection[tuple[str, str]] = ()) -> None:
    """Each of `releases` (app, digest) that is not live nor was before, and what no release and no job needs any more; a link that
    is gone is no reason to fail.
    """
    for app, digest in releases:
        with contextlib.suppress(DeviceError):
            link.call("discard", {"token": token, "app": app, "digest": digest}, timeout_s=60)
    with contextlib.suppress(DeviceError):
        link.call("sweep", {"token": token}, timeout_s=60)


@contextlib.contextmanager
def tidied(link: AgentLink, token: str, app: str, digest: str) -> Iterator[None]:
    """Whatever happens inside, nothing half done stays on the device: a release that did not go live is removed
    again, and so is what was uploaded for it. Over a broken link this waits for the next deployment's sweep.
    """
    try:
        yield
    except BaseException:
        take_back(link, token, [(app, digest)])
        raise
    remove(link, token)
