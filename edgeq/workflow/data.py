"""data(): what a model will see of the samples, what float answers, and which faults they may have."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.unused_weights import unused_weights
from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest.given_model import GivenModel
from edgeq.model_name import model_name
from edgeq.nouns.data_check import DataSeen
from edgeq.nouns.progress import Progress
from edgeq.request.accepts import accepts
from edgeq.request.paths import text
from edgeq.request.requests import DataRequest
from edgeq.request.shapes import shapes_of

if TYPE_CHECKING:
    from edgeq.data_checks.run import Checked
    from edgeq.ingest.float_model import FloatModel


@accepts(DataRequest)
def data(request: DataRequest) -> DataSeen:
    """Look at some of the samples as a model gets them; nothing is converted.

    `refused` of the result says whether another command would refuse them. Raises ModelRefused and ExtraMissing as convert,
    and DataRefused for samples that cannot be read, do not fit the model's inputs or hold NaN.
    """
    request.tell(Progress("open the model", 0, None, ""))
    from edgeq.conversion.sample_source import SampleSource
    from edgeq.data_checks.run import check
    from edgeq.ingest.given_data import kept_in_memory
    from edgeq.ingest.open_model import look_at_model
    from edgeq.ingest.preprocess import parse_optional
    from edgeq.ingest.request import Request

    model, source = text(request.model) or "", request.data
    for note in unused_weights(model, request.weights):
        request.tell(note)
    if source is None:
        raise DataRefused("no samples were named", "name them with --data, or in edgeq.toml")
    if model.endswith(".edgeq"):
        raise ModelRefused(f"{model} is a finished bundle", "name the model that it was made from")
    sheet = None if request.sheet is None else _writable(Path(request.sheet))
    samples = SampleSource(kept_in_memory(source), parse_optional(request.preprocess))
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        found: list[Checked] = []

        def look(opened: "FloatModel") -> None:
            request.tell(Progress("check the samples", 0, None, ""))
            fitting = samples.fitting(opened.inputs)
            assert fitting is not None
            found.append(check(fitting, opened, use_labels=not request.ignore_labels))

        look_at_model(
            Request(
                model,
                Path(folder),
                request.name or model_name(model),
                None if request.weights is None else Path(request.weights),
                shapes_of(request.shape),
                example=samples.first(),
                survey=samples.survey,
                module=request.model.module if isinstance(request.model, GivenModel) else None,
                look=look,
            )
        )
        return _seen(str(request.model), str(source), found[0], not request.ignore_labels, sheet)


def _writable(sheet: Path) -> Path:
    """Raises DataRefused before anything takes its time."""
    if sheet.suffix.lower() != ".png":
        raise DataRefused(f"{sheet} is not named as a PNG", "name it sheet.png")
    if not sheet.absolute().parent.is_dir():
        raise DataRefused(f"there is no folder {sheet.parent} for {sheet.name}", "make it, or name another")
    return sheet


def _seen(model: str, source: str, checked: "Checked", use_labels: bool, sheet: Path | None) -> DataSeen:
    from edgeq.data_checks.mistaken_labels import mistaken_labels
    from edgeq.data_checks.seen import answers_of, answers_seen, inputs_seen
    from edgeq.data_checks.sheet import draw
    from edgeq.ingest.labels import words
    from edgeq.quantize.evaluate.accuracy import why_unused

    evidence = checked.evidence
    samples = evidence.samples
    numbers = samples.labels if use_labels else None
    drawn = sheet is not None and draw(evidence, numbers, answers_of(evidence, numbers), sheet)
    notes = [*samples.notes]
    unused = why_unused(samples, evidence.rows()) if use_labels and evidence.count else ""
    mistaken = [*mistaken_labels(samples.truth)] if unused else []
    notes += [unused] if unused and not mistaken else []
    if sheet is not None and not drawn:
        notes.append(f"{sheet} was not written: no input holds pictures")
    return DataSeen(
        model=model,
        source=source,
        samples=samples.count,
        looked_at=evidence.count,
        preprocessing=samples.preprocessing,
        inputs=inputs_seen(evidence),
        labels=words(samples.truth) if use_labels else "",
        answers=answers_seen(evidence, numbers),
        findings=(*checked.findings, *mistaken),
        notes=tuple(notes),
        sheet=str(sheet) if drawn else None,
    )
