"""Outputs on an emulated CPU: `emulate` and `verify` lines. Times are not printed: they are not representative."""

from rich.console import Console

from edgeq.nouns.fidelity import words_of_db
from edgeq.nouns.verification import Closeness, Emulation, Verification, Verified
from edgeq.plain_text import counted
from edgeq.report.formats.layout import say
from edgeq.report.formats.units import short

_FEWEST = 20  # a share of fewer answers than these tells nothing


def show_emulation(emulation: Emulation, console: Console) -> None:
    say(
        console,
        "emulate",
        [emulation.target, f"{emulation.cpu} by {emulation.emulator}", emulation.system],
    )


def show_verified(verified: Verified, console: Console) -> None:
    facts = [verified.candidate, *_facts(verified)]
    say(console, "verify", facts)
    if verified.limited_by:
        ran = f"{verified.samples} of {counted(verified.offered, 'sample')}"
        say(console, "verify", [f"  ran {ran} there: {verified.limited_by}"])
    if verified.why_failed:
        say(console, "verify", [f"  refused: {verified.why_failed}"])
    if verified.not_run:
        say(console, "verify", [f"  not verified: {verified.not_run}"])


def show_verification(verification: Verification, console: Console) -> None:
    ran = [v for v in verification.candidates if v.there is not None]
    refused = [v.candidate for v in verification.candidates if v.why_failed]
    title = f"{verification.name} = {short(verification.digest)}"
    where = f"on {verification.emulation.target}"
    if refused:
        words = f"refused {where}: {', '.join(refused)}"
    elif not ran:
        words = f"nothing could be verified {where}"
    else:
        words = f"{len(ran)} of {counted(len(verification.candidates), 'candidate')} passed {where}"
    say(console, "verdict", [title, words])


def _facts(verified: Verified) -> list[str]:
    moved, here, there = verified.moved, verified.here, verified.there
    if moved is None or here is None or there is None:
        return []
    close = "bit for bit" if verified.same_bits else f"{_words(moved, '')} from"
    facts = [f"{close} this machine's outputs on {counted(verified.samples, 'sample')}"]
    facts.append(f"{_words(here)} here, {_words(there, '')} there")
    if verified.samples < _FEWEST:
        return facts
    if here.agreement and there.agreement:
        facts.append(f"agreement {here.agreement.top1:.1f} % here, {there.agreement.top1:.1f} % there")
    if here.accuracy and there.accuracy:
        a, b = here.accuracy, there.accuracy
        facts.append(
            f"{a.metric} {a.candidate_score:.1f} here, {b.candidate_score:.1f} there, {a.float_score:.1f} float"
        )
    return [*facts, *_expectation(verified)]


def _expectation(verified: Verified) -> list[str]:
    """The gate's own figure: of all samples, not only of those that ran there."""
    accuracy = verified.expected.accuracy if verified.expected else None
    if accuracy is None:
        return []
    interval = f"{accuracy.difference:+.1f}, {accuracy.low:+.1f} to {accuracy.high:+.1f}"
    scores = f"{accuracy.float_score:.1f} -> {accuracy.candidate_score:.1f}"
    judged = f"the {accuracy.samples:,} samples that judged it on this machine"
    if accuracy.samples > verified.samples:
        judged += f"; based on the {verified.samples:,} that ran on the emulated CPU"
    return [f"expected on the device: {scores} ({interval}) on {judged}"]


def _words(closeness: Closeness, figure: str = "SQNR ") -> str:
    """Of the output that is farthest from float; where all are integers, by their equal values."""
    reals = [o for o in closeness.outputs if o.equal is None]
    worst = min((o.sqnr_db for o in reals if o.sqnr_db is not None), default=None)
    if not reals:
        share = min((o.equal for o in closeness.outputs if o.equal is not None), default=100.0)
        return f"{share:.1f} % of values equal"
    return figure + "equal" if worst is None else words_of_db(worst, figure=figure)
