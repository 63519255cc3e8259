"""`edgeq data`: what the model will see of the samples, and what float predicts."""

from rich.console import Console

from edgeq.nouns.data_check import AnswersSeen, DataSeen, InputSeen
from edgeq.nouns.tensor import Preprocessing
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say, table

_CLASSES = 8
_NO_CHANNELS = 1
_FEW = 64  # samples; on fewer many a check says nothing


def show_data_seen(seen: DataSeen, console: Console) -> None:
    looked = "all of them" if seen.looked_at == seen.samples else f"{seen.looked_at:,} of them"
    say(console, "data", [seen.source, f"{counted(seen.samples, 'sample')}, {looked} looked at"])
    if seen.preprocessing is not None:
        say(console, "data", [_preprocessing(seen.preprocessing)])
    for note in seen.notes:
        say(console, "data", [note])
    for one in seen.inputs:
        _show_input(one, console)
    say(console, "labels", [seen.labels or "none"])
    if seen.answers is None:
        say(console, "float", ["no predictions: no output is known to hold class scores"])
    else:
        _show_answers(seen.answers, console)
    if seen.sheet is not None:
        say(console, "sheet", [seen.sheet])
    for finding in seen.findings:
        say(console, "REFUSED" if finding.certain else "WARNING", [str(finding)], style="bold")
    if not seen.findings:
        on = f" on {counted(seen.looked_at, 'sample')}" if seen.looked_at < _FEW else ""
        say(console, "checks", [f"nothing found against these samples{on}"])


def _preprocessing(p: Preprocessing) -> str:
    numbers = f"value = (pixel * {p.scale:.6g} - {_listed(p.mean)}) / {_listed(p.std)}"
    return f"images {_size(p)}, {p.channels}, {p.layout}, {numbers}"


def _size(p: Preprocessing) -> str:
    if p.size is None:
        return "at their own size"
    size = f"{p.size[0]}x{p.size[1]} (height x width)"
    if p.resize == "short_side":
        return f"with the short side resized to {p.short_side or min(p.size)}, cropped to the centre {size}"
    return f"stretched to {size}" if p.resize == "stretch" else f"cropped to the centre {size}, not resized"


def _listed(values: tuple[float, ...]) -> str:
    return "/".join(f"{v:g}" for v in values)


def _show_input(one: InputSeen, console: Console) -> None:
    shape = "x".join("?" if d is None else str(d) for d in one.shape) or "scalar"
    say(console, "input", [f"{one.name} {shape} {one.dtype}", *([one.layout] if one.layout else [])])
    head = ("channel" if len(one.channels) > _NO_CHANNELS else "values", "min", "max", "mean", "std")
    rows = [
        (
            str(i) if len(one.channels) > _NO_CHANNELS else "all",
            *(f"{v:.4g}" for v in (c.minimum, c.maximum, c.mean, c.std)),
        )
        for i, c in enumerate(one.channels)
    ]
    table(console, head, rows)


def _show_answers(answers: AnswersSeen, console: Console) -> None:
    facts = [f"predictions on {counted(answers.samples, 'sample')}"]
    if answers.right is not None:
        facts.append(f"right on {answers.right:,} ({100 * answers.right / answers.samples:.1f} %)")
    say(console, "float", facts)
    shown = answers.classes[:_CLASSES]
    labelled = answers.right is not None
    head = ("class", "predictions", *(["labels"] if labelled else []))
    rows = [(str(c.number), f"{c.answers:,}", *([f"{c.labels:,}"] if labelled else [])) for c in shown]
    table(console, head, rows)
    if len(answers.classes) > len(shown):
        say(console, "float", [f"and {len(answers.classes) - len(shown):,} more classes"])
    if answers.confusions:
        most = ", ".join(f"{c.label} predicted as {c.answer} ({c.count:,})" for c in answers.confusions)
        say(console, "float", [f"most frequent errors: {most}"])
