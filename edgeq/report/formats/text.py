"""The story on a screen: each noun to the lines it makes. Printed facts only; what they are was decided elsewhere.

`show` is for what happens on the way, `show_result` for the end. Nouns of the layers above are recognised by name.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console

from edgeq.nouns.progress import Note, Route
from edgeq.report.formats.data_seen import show_data_seen
from edgeq.report.formats.emulated import show_emulation, show_verification, show_verified
from edgeq.report.formats.explained import show_explained
from edgeq.report.formats.exported import show_exported
from edgeq.report.formats.history import show_comparison, show_measurements
from edgeq.report.formats.layout import say
from edgeq.report.formats.making import (
    show_between_runtimes,
    show_data,
    show_fidelity,
    show_finding,
    show_model,
    show_plan,
)
from edgeq.report.formats.on_device import (
    show_delivery,
    show_diagnosis,
    show_facts,
    show_live,
    show_load_lines,
    show_removal,
    show_rollback,
    show_status,
    show_supplies,
)
from edgeq.report.formats.race_table import show_race, show_race_title
from edgeq.report.formats.summary import (
    show_candidates,
    show_destination,
    show_gone_live,
    show_nothing_quantized,
    show_race_warnings,
    show_terms,
    show_unchanged,
)
from edgeq.report.formats.units import count, short, size

Show = Callable[..., None]


def show(console: Console, noun: Any, *, in_full: bool = False) -> None:
    """What just happened; `in_full` with every reason and figure. Raises TypeError for a noun without words."""
    if not in_full and hasattr(noun, "lines_in_brief"):
        _print_lines(console, noun.lines_in_brief())
        return
    _call(_ON_THE_WAY if in_full else _IN_BRIEF, console, noun, in_full)


def show_result(console: Console, noun: Any, *, in_full: bool = False) -> None:
    """What a command ends with. Raises TypeError for a noun that nobody has words for."""
    _call(_AT_THE_END, console, noun, in_full)


def show_note(console: Console, note: Note, *, in_full: bool = False) -> None:
    if in_full or not note.detail:
        say(console, "note", [note.text])


def show_route(console: Console, route: Route) -> None:
    say(console, "route", [route.text])


def _call(shown: dict[str, Show], console: Console, noun: Any, in_full: bool) -> None:
    if hasattr(noun, "lines"):
        _print_lines(console, noun.lines())
        return
    name = type(noun).__name__
    if name not in shown:
        raise TypeError(f"no words for {name}; known: {', '.join(sorted(shown))}")
    shown[name](console, noun, **({"in_full": True} if in_full and name in _HAVE_MORE else {}))


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show_conversion(console: Console, conversion: Any, *, in_full: bool = False) -> None:
    bundle = conversion.bundle
    if not in_full:
        show_candidates(console, conversion)
    artifacts = sum(a.size for a in bundle.manifest.artifacts)
    whole = f"{size(conversion.path.stat().st_size)}, of which {size(artifacts)} is sent to the device"
    facts = [str(conversion.path), whole, f"release {short(bundle.digest)}"]
    if conversion.reused and not in_full:
        facts.append("unchanged input: the earlier conversion is reused")
    say(console, "bundle", facts)


def _show_deployment(console: Console, deployment: Any, *, in_full: bool = False) -> None:
    race, choice, checks = deployment.race, deployment.choice, deployment.checks
    if race is not None and in_full:
        show_race(console, race, choice, checks, in_full=True, measurement=deployment.measurement)
    elif not in_full and not deployment.unchanged:
        show_candidates(console, deployment.conversion, race, choice)
        if race is not None:
            candidates = deployment.conversion.bundle.manifest.candidates
            floats = {c.id for c in candidates if c.recipe == "float"}
            show_race_warnings(console, race, choice, checks, floats, deployment.measurement)
    if deployment.unchanged:
        show_unchanged(console, deployment.app)
        return
    if deployment.changed and not in_full:
        show_gone_live(console, deployment)
    elif deployment.app is not None:
        show_live(console, deployment.app, deployment.previous)
    if deployment.changed:
        show_load_lines(console, deployment.load_lines, deployment.facts)
    live = deployment.app.live if deployment.app is not None else None
    if not deployment.changed and live != deployment.conversion.bundle.digest:
        manifest = deployment.conversion.bundle.manifest
        sent = f"{manifest.name} = {short(manifest.digest)}, {count(len(manifest.candidates), 'candidate')}"
        total = size(sum(a.size for a in manifest.artifacts))
        say(
            console,
            "note",
            [f"dry run: would send {sent} ({total}) and race them; nothing was changed"],
        )


def _show_benched(console: Console, benched: Any, *, in_full: bool = False) -> None:
    for report, measurement in zip(benched.reports, benched.measurements, strict=True):
        if in_full:
            show_race(console, report, in_full=True, measurement=measurement)
        else:
            show_race_title(console, report)
            show_race(console, report)


def _show_reported(console: Console, reported: Any) -> None:
    if reported.fetched:
        say(console, "fetched", [f"{reported.fetched} from the device"])
    for comparison in reported.comparisons:
        show_comparison(console, comparison)
    for report, measurement in zip(reported.races, reported.measurements, strict=True):
        show_race(console, report, in_full=True, measurement=measurement)
    if not reported.comparisons and not reported.races:
        show_measurements(console, reported.rows)


def _show_device_report(console: Console, report: Any) -> None:
    if report.code is not None:  # alone, as a file takes it
        console.print(report.code, markup=False, highlight=False, emoji=False, soft_wrap=True, end="")
        return
    show_status(console, report.facts, report.status, report.figures)


def _later(console: Console, noun: Any, *, in_full: bool = False) -> None:
    """Told on the way for whoever listens; on a screen it stands in the result, with the choice beside it."""


_HAVE_MORE = frozenset({"Benched", "Deployment", "Conversion", "Note"})

_ON_THE_WAY: dict[str, Show] = {
    "Note": show_note,
    "Route": show_route,
    "Model": show_model,
    "Plan": show_plan,
    "DataUse": show_data,
    "Fidelity": show_fidelity,
    "DataFinding": show_finding,
    "BetweenRuntimes": show_between_runtimes,
    "Facts": show_facts,
    "Supplies": show_supplies,
    "Delivery": show_delivery,
    "Emulation": show_emulation,
    "Verified": show_verified,
    "RaceReport": _later,
    "Deployment": _later,
    "Destination": _later,  # Facts have said it
    "Started": _later,
}

_IN_BRIEF: dict[str, Show] = {
    **dict.fromkeys(_ON_THE_WAY, _later),
    "Note": show_note,
    "Destination": show_destination,
    "DataUse": show_terms,
    "DataFinding": show_finding,
    "Plan": show_nothing_quantized,
    "Emulation": show_emulation,
    "Verified": show_verified,
}

_AT_THE_END: dict[str, Show] = {
    "Conversion": _show_conversion,
    "Explained": show_explained,
    "Exported": show_exported,
    "Deployment": _show_deployment,
    "Benched": _show_benched,
    "Reported": _show_reported,
    "RaceReport": show_race,
    "Comparison": show_comparison,
    "App": show_live,
    "Rollback": show_rollback,
    "Diagnosis": show_diagnosis,
    "Removal": show_removal,
    "DeviceReport": _show_device_report,
    "Verification": show_verification,
    "DataSeen": show_data_seen,
}
