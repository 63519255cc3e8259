"""Progress of a training: a bar with the time left, and a line for each evaluation."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from edgeq.nouns.progress import Progress
from edgeq.nouns.training import Trained
from edgeq.request.tell import Tell
from edgeq.request.time_left import TimeLeft

if TYPE_CHECKING:
    from edgeq.train.training import Report

STAGE, STAGE_IN_FLOAT = "train", "train in float"


def reporter(
    epochs: float,
    scored_by: str,
    tell: Tell,
    times: TimeLeft | None = None,
    of: str = "",
    in_float: bool = False,
) -> "Callable[[Report], None]":
    """`times` knows what else is planned, under the name `of` the training. `in_float`: of the smaller network, before it is quantized."""
    times, begun = times or TimeLeft(), list[int]()
    stage = STAGE_IN_FLOAT if in_float else STAGE

    def told(report: "Report") -> None:
        begun.append(report.step) if not begun else None
        first, last = begun[0], report.last  # one that goes on begins in the middle
        left = times.at(of, stage, (report.step - first) / max(report.steps - first, 1))
        score = "" if last.score is None else f", {scored_by} {last.score:.1f} %"
        step = f"{of}: {stage}" if of else stage
        in_all = left.step if left.all is None else left.all
        figures = f"loss {report.loss:.3g}{score}"
        tell(Progress(step, report.step, report.steps, "", left.step, in_all, figures))
        if report.evaluated:
            epoch = epochs * report.step / max(report.steps, 1)
            tell(Trained(round(epoch, 3), epochs, report.loss, last, scored_by, in_float))

    return told
