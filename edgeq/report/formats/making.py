"""How a model became candidates: `model`, `target` and `convert` lines."""

from collections import defaultdict

from rich.console import Console

from edgeq.nouns.data import DataUse
from edgeq.nouns.data_check import DataFinding
from edgeq.nouns.fidelity import (
    Accuracy,
    BetweenRuntimes,
    Fidelity,
    FloatSearch,
    LayerInFloat,
    OutputError,
    words_of_db,
)
from edgeq.nouns.model import Model
from edgeq.nouns.passes import AppliedChange
from edgeq.nouns.plan import Plan
from edgeq.plain_text import counted
from edgeq.report.formats.costs import show_costs
from edgeq.report.formats.layout import say
from edgeq.report.formats.short_names import short_name
from edgeq.report.formats.units import seconds, size

NO_SAMPLES = "none: random inputs, accuracy unknown"
_NAMES_SHOWN = 6
_NAMED = 3  # layers of one change that are named; more are counted


def show_model(model: Model, console: Console) -> None:
    facts = [model.source, f"{size(model.float_bytes)} {model.quantized or 'float32'}"]
    facts += [f"takes {spec}" for spec in model.inputs]
    facts += [f"gives {spec}" for spec in model.outputs]
    say(console, "model", facts)
    for note in model.notes:
        say(console, "model", [note])


def show_plan(plan: Plan, console: Console) -> None:
    """Each candidate with its reason, and each combination of runtime and recipe that is none with its own."""
    say(
        console,
        "target",
        [plan.target, f"{counted(len(plan.candidates), 'candidate')}, in order of expected speed"],
    )
    for c in plan.candidates:
        scheme = f" ({c.scheme})" if c.scheme else ""
        say(console, "target", [f"  {c.id}{scheme}: {c.reason}"])
    for c in plan.fallbacks:
        say(console, "target", [f"  if no int8 candidate is close enough: {c.id} ({c.scheme}): {c.reason}"])
    if plan.skipped:
        word = "combination is" if len(plan.skipped) == 1 else "combinations are"
        say(console, "target", [f"  {len(plan.skipped)} other runtime/recipe {word} unavailable:"])
    for skipped in plan.skipped:
        say(console, "target", [f"    {skipped.what}: {skipped.reason}"])


def show_data(use: DataUse, console: Console) -> None:
    if use.source is None:
        say(
            console,
            "data",
            ["none: accuracy unknown" if use.as_it_came else NO_SAMPLES],
        )
    else:
        facts = [use.source, samples_used(use), use.labels or "no labels"]
        if use.metric and use.float_score is not None:
            whose = "the model" if use.as_it_came else "float"
            facts.append(f"{whose}: {use.metric} {use.float_score:.{1 if use.float_score > 1 else 3}f}")
        say(console, "data", facts)
    for note in use.notes:
        say(console, "data", [f"  {note}"])
    for warning in use.warnings:
        say(console, "WARNING", [warning], style="bold")
    say(console, "gate", [use.gate])


def samples_used(use: DataUse) -> str:
    calibrate, judge = counted(use.calibrate, "calibration sample"), counted(use.judge, "evaluation sample")
    if not use.train:
        return f"{calibrate}, {judge}"
    validate = counted(use.validate, "validation sample")
    return (
        f"{counted(use.train, 'training sample')}, of which {use.calibrate:,} calibrate, {validate}, {judge}"
    )


def show_finding(finding: DataFinding, console: Console) -> None:
    say(console, "WARNING", [str(finding)], style="bold")


def show_fidelity(fidelity: Fidelity, console: Console) -> None:
    facts = [fidelity.candidate]
    facts += [f"{f.integer}/{f.total} {f.operator} integer" for f in fidelity.fusion]
    facts += compared_with_float(fidelity)
    if fidelity.seconds:  # none where it was made before
        facts.append(seconds(fidelity.seconds))
    say(console, "convert", facts)
    for line in (*_bound(fidelity), *_search(fidelity.search), *_changes(fidelity.remedies)):
        say(console, "convert", [line])
    _show_reservations(fidelity, console)
    show_costs(fidelity.costs, console)


def compared_with_float(fidelity: Fidelity) -> list[str]:
    """SQNR, accuracy before and after, agreement: what of these was judged, on how many samples."""
    equal, facts = all(o.same for o in fidelity.outputs), []
    if fidelity.as_it_came:
        facts.append("already quantized")
    else:
        facts.append("equal to float" if equal else _closeness(fidelity.outputs))
    if fidelity.accuracy:
        facts.append(_accuracy(fidelity.accuracy, equal))
    if fidelity.agreement and not equal:
        judged = counted(fidelity.agreement.samples, "sample")
        facts.append(f"top-1 agreement with float {fidelity.agreement.top1:.1f} % on {judged}")
    if fidelity.closed_loop is not None:
        facts.append(
            f"in closed loop over {counted(fidelity.closed_loop, 'step')}, {fidelity.samples:,} judged"
        )
    elif not fidelity.accuracy and not fidelity.agreement:
        facts.append(f"on {counted(fidelity.samples, 'sample')}")
    return facts


def show_between_runtimes(between: BetweenRuntimes, console: Console) -> None:
    facts = [f"{between.first} and {between.second} compared with each other"]
    facts.append("equal" if between.sqnr_db is None else words_of_db(between.sqnr_db))
    facts.append(
        f"on {counted(between.samples, 'sample')}"
        if between.top1 is None
        else f"top-1 agreement {between.top1:.1f} % on {counted(between.samples, 'sample')}"
    )
    say(console, "convert", facts)


def _show_reservations(fidelity: Fidelity, console: Console) -> None:
    """What a reader must not miss: a failed gate, what stayed in float, what the runtime did not fuse."""
    if not fidelity.passed:
        say(console, "convert", [f"  refused: {fidelity.why_failed or fidelity.gate}"])
        for layer in fidelity.worst_layers[:3]:
            say(
                console,
                "convert",
                [
                    f"  worst layer: {short_name(layer.layer)} ({words_of_db(layer.sqnr_db, 0)}, {layer.cause})"
                ],
            )
    for o in fidelity.outputs:
        if o.small_db is not None:
            say(console, "convert", [f"  {_small_channels(o)}"])
    if fidelity.same_samples:
        say(console, "convert", ["  judged on its calibration sample: there is only one"])
    left = {f.method: f.qdq_pairs_left for f in fidelity.fusion if f.qdq_pairs_left}
    if left:
        pairs = max(left.values())
        say(
            console,
            "convert",
            [
                f"  {counted(pairs, 'quantize/dequantize pair')} {'remains' if pairs == 1 else 'remain'} after runtime optimization"
            ],
        )
    for line in _left_in_float(fidelity.float_layers):
        say(console, "convert", [line])


def _bound(fidelity: Fidelity) -> list[str]:
    """Of a gate that holds; the message of one that fails has it."""
    b = fidelity.bound
    if b is None or not fidelity.passed or b.samples_needed is None:
        return []
    need = f"{b.samples_needed:,} held-out samples with differences such as these"
    return [f"  the gate holds at {b.confidence:g} % confidence; that needs {need}"]


def _search(search: FloatSearch | None) -> list[str]:
    if search is None:
        return []
    how = f"{counted(search.tries, 'set')} of layers tried"
    how += f", {search.remembered} of them earlier" if search.remembered else ""
    if search.stopped:
        how += f"; stopped, {search.stopped}: a larger --search-tries continues the search"
    if not search.left:
        return [f"  no small set of float layers makes the gate hold ({how})"]
    of = "" if search.left == search.first else f", reduced from {search.first}"
    return [f"  {counted(search.left, 'layer')} kept in float for the gate{of} ({how})"]


def _changes(changes: tuple[AppliedChange, ...]) -> list[str]:
    """One line per change; `--json` has every name."""
    by_change: dict[tuple[str, float | None], list[str]] = defaultdict(list)
    for change in changes:
        by_change[change.how, change.gain_db].append(change.what)
    return [
        f"  {_listed(names) if len(names) <= _NAMED else counted(len(names), 'layer')}: {how}"
        + ("" if gain is None else f" ({gain:+.1f} dB)")
        for (how, gain), names in by_change.items()
    ]


def _left_in_float(layers: tuple[LayerInFloat, ...]) -> list[str]:
    """One line per reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for layer in layers:
        by_reason[layer.reason].append(layer.what)
    return [f"  left in float: {_listed(names)} ({reason})" for reason, names in by_reason.items()]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(short_name(name) for name in names[:_NAMES_SHOWN]) + more


def _small_channels(o: OutputError) -> str:
    return (
        f"{o.output}: channels at least 16x smaller than the largest ({o.small}) reach only {o.small_db:.1f} dB because all "
        "share one scale; export them as a separate output, or allow it with a lower --min-sqnr"
    )


def _closeness(outputs: tuple[OutputError, ...]) -> str:
    """Of the output that is farthest from float."""
    found = [f"{o.equal:.1f} % of {o.output} equal" for o in outputs if o.equal is not None]
    errors = [(o.sqnr_db, o.output, o.worst_sequence_db) for o in outputs if o.sqnr_db is not None]
    if errors:
        sqnr_db, name, worst_db = min(errors, key=lambda error: error[:2])
        words = words_of_db(sqnr_db)
        worst = (
            f", {words_of_db(worst_db).removeprefix('SQNR ')} on its worst sequence"
            if worst_db is not None
            else ""
        )
        found.insert(0, words + (f" at {name}" if len(outputs) > 1 else "") + worst)
    return ", ".join(found)


def _accuracy(a: Accuracy, equal: bool) -> str:
    if equal:
        return f"{a.metric} {a.float_score:.1f} on {counted(a.samples, 'sample')} on this machine"
    d = a.decimals
    interval = f"{a.difference:+.{d}f}, {a.low:+.{d}f} to {a.high:+.{d}f}"
    scores = f"{a.float_score:.{d}f} -> {a.candidate_score:.{d}f}"
    return f"{a.metric} {scores} ({interval}) on {counted(a.samples, 'sample')} on this machine"
