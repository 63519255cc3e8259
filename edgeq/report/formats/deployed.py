"""What a deployment ends with: the candidates, what went live and why, code that runs it."""

import os
import shlex
from pathlib import Path

from rich.console import Console

from edgeq.nouns.release import App
from edgeq.nouns.results import Deployment
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say
from edgeq.report.formats.on_device import show_live, show_load_lines
from edgeq.report.formats.race_table import show_race
from edgeq.report.formats.summary import show_candidates, show_race_warnings
from edgeq.report.formats.tradeoff import show_tradeoff
from edgeq.report.formats.units import short, size


def show_deployment(deployment: Deployment, console: Console) -> None:
    if deployment.unchanged and deployment.app is not None:
        show_unchanged(deployment.app, console)
        return
    race, choice = deployment.race, deployment.choice
    tradeoff = deployment.tradeoff or deployment.conversion.tradeoff
    if tradeoff is not None:
        show_tradeoff(tradeoff, deployment.conversion.fidelity, console, race)
    else:
        show_candidates(deployment.conversion, console, race, choice)
    if race is not None:
        candidates = deployment.conversion.bundle.manifest.candidates
        floats = {c.id for c in candidates if c.recipe == "float"}
        show_race_warnings(
            race, console, choice, deployment.checks, floats, deployment.measurement, tradeoff is not None
        )
    if deployment.changed and deployment.app is not None:
        show_gone_live(deployment.app, console, deployment)
    elif deployment.app is not None:
        show_live(deployment.app, console, deployment.previous)
    _show_what_follows(deployment, console)


def show_deployment_in_full(deployment: Deployment, console: Console) -> None:
    tradeoff = deployment.tradeoff or deployment.conversion.tradeoff
    if tradeoff is not None and not deployment.unchanged:
        show_tradeoff(tradeoff, deployment.conversion.fidelity, console, deployment.race, in_full=True)
    if deployment.race is not None:
        show_race(
            deployment.race,
            console,
            deployment.choice,
            deployment.checks,
            in_full=True,
            measurement=deployment.measurement,
        )
    if deployment.unchanged and deployment.app is not None:
        show_unchanged(deployment.app, console)
        return
    if deployment.app is not None:
        show_live(deployment.app, console, deployment.previous)
    _show_what_follows(deployment, console)


def _show_what_follows(deployment: Deployment, console: Console) -> None:
    """Code that runs what is live; on a dry run what would have been sent."""
    if deployment.changed:
        show_load_lines(deployment.load_lines, console, deployment.facts)
        return
    manifest = deployment.conversion.bundle.manifest
    sent = f"{manifest.name} = {short(manifest.digest)}, {counted(len(manifest.candidates), 'candidate')}"
    total = size(sum(a.size for a in manifest.artifacts))
    say(console, "note", [f"dry run: would send {sent} ({total}) and race them; nothing was changed"])


def show_gone_live(app: App, console: Console, deployment: Deployment) -> None:
    """What is live, how to go back, where the reasons are; the path where no code that loads it follows."""
    previous = deployment.previous
    was = f" (was {short(previous)})" if previous and previous != app.live else ""
    undo = [f"undo: edgeq rollback {app.name}"] if app.previous else []
    why = f"why: edgeq explain {_typed(deployment.conversion.path)}"
    say(console, "live", [f"{app.name} = {short(app.live)}{was}", *undo, why])
    if not deployment.load_lines:
        say(console, "live", [f"path: {app.path}"])
    if app.kept:
        say(console, "kept", [f"{app.kept}: files in this release that edgeq did not write"])


def show_unchanged(app: App, console: Console) -> None:
    """A second deploy of the same: two lines."""
    say(
        console,
        "live",
        [f"{app.name} = {short(app.live)}, unchanged: this release is live already, nothing was sent"],
    )
    again = "--measure-again repeats the measurement"
    if app.not_compared:
        again = f"Speed was not compared when this release went live ({app.not_compared}); {again}"
    say(console, "note", [again])


def _typed(path: Path) -> str:
    """As a user would type it: below the home folder from ~ on."""
    home = os.path.expanduser("~")  # noqa: PTH111  (Path.home raises where nobody has one)
    if home != "~" and path.is_relative_to(home):
        return f"~/{shlex.quote(str(path.relative_to(home)))}"
    return shlex.quote(str(path))
