"""A training while it goes on, and what it ends with."""

from rich.console import Console

from edgeq.nouns.results import Finetuned
from edgeq.nouns.training import Evaluation, Trained, Training
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.report.formats.layout import say, table
from edgeq.report.formats.units import size


def show_trained(trained: Trained, console: Console) -> None:
    facts = [f"epoch {trained.epoch:.1f} of {trained.epochs:g}", f"loss {trained.loss:.3g}"]
    say(
        console,
        "in float" if trained.in_float else "train",
        [*facts, *_validation(trained.evaluation, trained.scored_by)],
    )


def show_finetuned(found: Finetuned, console: Console) -> None:
    training = found.training
    assert training.before is not None and training.best is not None
    header = ["validation", "loss", *([training.scored_by] if training.scored_by else [])]
    rows = [_row("post-training quantization", training.before), _row("trained", training.best)]
    if training.float_score is not None:
        rows.insert(0, ["float", "", f"{training.float_score:.1f} %"])
    table(console, header, rows, marked=len(rows) - 1)
    say(console, "trained", _facts(training))
    if training.interrupted:
        say(console, "note", ["interrupted: this is the best so far; the same command goes on from there"])
    _note_its_end(training, console)
    say(console, "written", [str(found.path), size(found.path.stat().st_size)])
    say(console, "deploy", [found.command])


def show_training(training: Training, console: Console) -> None:
    """One that is a part of a conversion."""
    assert training.before is not None and training.best is not None
    changes = [f"loss {training.before.loss:.3g} -> {training.best.loss:.3g}"]
    if training.best.score is not None:
        changes.append(f"{training.scored_by} {training.before.score:.1f} -> {training.best.score:.1f} %")
    if training.float_score is not None:
        changes.append(f"float {training.float_score:.1f} %")
    say(console, "trained", [*changes, *_facts(training)])
    _note_its_end(training, console)


def _note_its_end(training: Training, console: Console) -> None:
    """Where it did not go on to the end, or got no better by it."""
    if training.stopped_early and not training.interrupted:
        step = f"{training.step:,} of {training.steps:,}"
        say(console, "note", [f"stopped after step {step}: it got no better"])
    if training.best is not None and training.best.step == 0 and training.steps:
        why = "no evaluation was better than the start"
        say(console, "note", [f"{why}: the weights are those of post-training quantization"])


def _facts(training: Training) -> list[str]:
    kind = "" if training.levels == UNIFORM else f" ({training.levels})"
    bits = f"{training.weight_bits:g}-bit weights{kind}, {training.activation_bits}-bit activations"
    inner = f"{bits} in {len(training.low_bit_layers)} layers, 8 bits in the others"
    step = 0 if training.best is None else training.best.step
    return [
        str(training.scheme),
        *([inner] if training.low_bit_layers else []),
        f"{training.samples:,} samples, {training.validated:,} held out",
        f"best at step {step:,} of {training.steps:,}",
        *([f"{training.sparsity:.0%} of the inner weights are zero"] if training.sparsity else []),
        *([] if training.macs_share is None else [f"{training.macs_share:.0%} of the MACs"]),
        f"{training.seconds:,.0f} s",
    ]


def _row(name: str, evaluation: Evaluation) -> list[str]:
    score = [] if evaluation.score is None else [f"{evaluation.score:.1f} %"]
    return [name, f"{evaluation.loss:.3g}", *score]


def _validation(evaluation: Evaluation, scored_by: str) -> list[str]:
    found = [f"validation {evaluation.loss:.3g}"]
    return found if evaluation.score is None else [*found, f"{scored_by} {evaluation.score:.1f} %"]
