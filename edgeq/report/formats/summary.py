"""The default screen of deploy and convert: a line for the target, the data and the gate, a table with a line per
candidate, a line for what went live. Reasons and the figures left out here are those of -v and --json.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath

from rich.console import Console

from edgeq.nouns.bundle import Manifest
from edgeq.nouns.data import DataUse
from edgeq.nouns.delivery import Destination
from edgeq.nouns.fidelity import FusionAudit
from edgeq.nouns.measurement import Measurement, Outputs
from edgeq.nouns.plan import Plan
from edgeq.nouns.report import Choice, DeviceCheck, EntrantReport, RaceReport
from edgeq.nouns.results import Conversion
from edgeq.report.formats.closeness import closeness
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.making import NO_SAMPLES, samples_used, show_plan
from edgeq.report.formats.plain_pressure import in_plain_words
from edgeq.report.formats.race_table import speed
from edgeq.report.formats.tradeoff import show_tradeoff
from edgeq.report.formats.units import ABSENT, milliseconds, short, size

_LONGEST_SOURCE = 40


def show_destination(d: Destination, console: Console) -> None:
    facts = d.facts
    board = facts.cpu_model if facts.board.startswith("unknown") else facts.board
    what = f"{board}, {facts.os}, {size(facts.root_free)} free"
    say(console, "target", [f"{d.target} at {d.label}: {what}"])
    if facts.emulated:
        say(console, "target", [f"EMULATED ({facts.emulated}): timings are not representative"])


def show_terms(use: DataUse, console: Console) -> None:
    if use.source is None:
        say(console, "data", [NO_SAMPLES])
    else:
        used = f"{_named(use.source)}: {samples_used(use)}"
        fed_back = [f"fed back: {', '.join(use.states)}"] if use.states else []
        say(console, "data", [used, *fed_back])
    for warning in use.warnings:
        say(console, "WARNING", [warning], style="bold")
    say(console, "gate", [use.gate])


def show_nothing_quantized(plan: Plan, console: Console) -> None:
    """Of a plan with float alone, why; other plans are for -v."""
    if all(c.recipe == "float" for c in plan.candidates):
        show_plan(plan, console)


def show_candidates(
    conversion: Conversion, console: Console, race: RaceReport | None = None, choice: Choice | None = None
) -> None:
    """A line per candidate: how close to float it is, and how fast it was where it was raced; why one was refused."""
    judged = {f.candidate: f for f in conversion.fidelity}
    raced = {row.id: row for row in race.rows} if race else {}
    ids = [*raced, *(id for id in judged if id not in raced)]
    if not ids:
        return
    titles = _titles(conversion.bundle.manifest)
    stamp = " (emulated)" if race and race.emulated else ""
    sizes = _sizes(conversion.bundle.manifest)
    header, close = closeness(judged)
    rows = [[_title(id, titles, raced) + stamp, *close(id)] for id in ids]
    header = ["candidate", *header]
    if race:
        header += ["p50", "speed (CPU)" if race.busy_pairs else "speed", "memory"]
        rows = [[*row, *_speed(raced.get(id), race)] for row, id in zip(rows, ids, strict=True)]
    else:
        header += ["size"]
        rows = [[*row, size(sizes.get(id))] for row, id in zip(rows, ids, strict=True)]
    chosen = choice.candidate if choice else None
    table(console, header, rows, marked=ids.index(chosen) if chosen in ids else None, tight=True)
    recipes = {c.id: c.recipe for c in conversion.bundle.manifest.candidates}
    for fidelity in judged.values():
        if recipes.get(fidelity.candidate, "").startswith("int") and fidelity.passed:
            _note_mostly_float(console, _title(fidelity.candidate, titles, raced), fidelity.fusion)
        if not fidelity.passed:
            say(console, "refused", [f"{fidelity.candidate}: {fidelity.why_failed or fidelity.gate}"])


def show_conversion(conversion: Conversion, console: Console) -> None:
    if conversion.tradeoff is None:
        show_candidates(conversion, console)
    else:
        show_tradeoff(conversion.tradeoff, conversion.fidelity, console)
    again = ["unchanged input: the earlier conversion is reused"] if conversion.reused else []
    say(console, "bundle", [*_bundle(conversion), *again])


def show_conversion_in_full(conversion: Conversion, console: Console) -> None:
    if conversion.tradeoff is not None:
        show_tradeoff(conversion.tradeoff, conversion.fidelity, console, in_full=True)
    say(console, "bundle", _bundle(conversion))


def _bundle(conversion: Conversion) -> list[str]:
    sent = sum(a.size for a in conversion.bundle.manifest.artifacts)
    whole = f"{size(conversion.path.stat().st_size)}, of which {size(sent)} is sent to the device"
    return [str(conversion.path), whole, f"release {short(conversion.bundle.digest)}"]


def _note_mostly_float(console: Console, title: str, fusion: Sequence[FusionAudit]) -> None:
    """Of a candidate whose name says int8, where less than half of the heavy operators are integer kernels."""
    if 2 * sum(f.integer for f in fusion) < sum(f.total for f in fusion):
        parts = ", ".join(f"{f.integer} of {f.total} {f.operator}" for f in fusion)
        say(console, "note", [f"{title}: only {parts} run as integers; -v says why"])


def show_race_warnings(
    race: RaceReport,
    console: Console,
    choice: Choice | None,
    checks: Sequence[DeviceCheck],
    floats: Collection[str],
    measurement: Measurement | None = None,
    explained: bool = False,
) -> None:
    """What keeps a figure from being what it seems, and why float or an uncompared candidate is live; `explained`: why any is."""
    if not race.quiet and choice is None:
        why = in_plain_words("; ".join(race.not_quiet)) or "no reason given"
        say(console, "note", [f"the device was not quiet: {why}"])
    for row in race.rows:
        if row.state != "ok":
            say(console, "note", [f"{row.title}: {row.state.replace('_', ' ')}: {row.error or 'no message'}"])
    for check in checks:
        if not check.passed:
            say(console, "note", [f"{check.candidate}: outputs differ from this machine's: {check.why}"])
    for entrant, outputs in _cut_short(measurement):
        words = f"{entrant}: {outputs.count:,} of {outputs.offered:,} samples compared with this machine"
        say(console, "note", [f"{words} ({outputs.limited_by}); a longer --seconds compares more"])
    if choice and (explained or not race.quiet or not choice.compared or choice.candidate in floats):
        say(console, "note", [in_plain_words(choice.why)])


def _cut_short(measurement: Measurement | None) -> list[tuple[str, Outputs]]:
    """Whose outputs were compared on fewer samples than there are because the time was up."""
    runs = measurement.runs if measurement else ()
    found = [(run.entrant, run.outputs) for run in runs]
    return [(id, o) for id, o in found if o is not None and " s for the comparison" in (o.limited_by or "")]


def _named(source: str) -> str:
    """As it was given, unless that is a long path."""
    return source if len(source) <= _LONGEST_SOURCE else PurePath(source).name


def _titles(manifest: Manifest) -> dict[str, str]:
    return {c.id: f"{c.runtime} {c.way}" for c in manifest.candidates}


def _title(id: str, titles: Mapping[str, str], raced: Mapping[str, EntrantReport]) -> str:
    return raced[id].title if id in raced else titles.get(id, id)


def _sizes(manifest: Manifest) -> dict[str, int]:
    """Bytes of each candidate's model."""
    return {
        c.id: sum(a.size for a in manifest.artifacts if a.path.startswith(c.model))
        for c in manifest.candidates
    }


def _speed(row: EntrantReport | None, race: RaceReport) -> list[str]:
    if row is None:
        return ["not raced", ABSENT, ABSENT]
    if row.latency is None:
        return [row.state.replace("_", " "), ABSENT, size(row.peak_memory_bytes)]
    return [milliseconds(row.latency.p50_ms.value), speed(row, race), size(row.peak_memory_bytes)]
