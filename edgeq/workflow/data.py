"""data(): what a model will see of the samples, what float answers, and what speaks against them."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.unused_weights import unused_weights
from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest.given_model import GivenModel
from edgeq.model_name import model_name
from edgeq.nouns.data_check import DataSeen
from edgeq.nouns.progress import Progress
from edgeq.request.paths import text, text_or_given
from edgeq.request.requests import DataRequest
from edgeq.request.shapes import shapes_of
from edgeq.request.takes import takes

if TYPE_CHECKING:
    from edgeq.data_checks.run import Checked
    from edgeq.ingest.float_model import FloatModel
    from edgeq.ingest.given_data import GivenData
    from edgeq.ingest.samples import Samples
    from edgeq.ingest.varied import Survey
    from edgeq.nouns.tensor import Preprocessing, TensorSpec


@takes(DataRequest)
def data(asked: DataRequest) -> DataSeen:
    """Look at some of the samples as a model gets them; nothing is converted.

    `refused` of the result says whether another command would refuse them. Raises ModelRefused and ExtraMissing as convert,
    and DataRefused for samples that cannot be read, do not fit the model's inputs or hold NaN.
    """
    asked.tell(Progress("open", 0, None, ""))
    from edgeq.data_checks.run import check
    from edgeq.ingest.given_data import kept_in_memory
    from edgeq.ingest.open_model import look_at_model
    from edgeq.ingest.preprocess import parse_optional
    from edgeq.ingest.request import Request
    from edgeq.ingest.samples import peek

    model, source = text(asked.model) or "", text_or_given(asked.data)
    for note in unused_weights(model, asked.weights):
        asked.tell(note)
    if source is None:
        raise DataRefused("no samples were named", "name them with --data, or in edgeq.toml")
    if model.endswith(".edgeq"):
        raise ModelRefused(f"{model} is a finished bundle", "name the model that it was made from")
    sheet = None if asked.sheet is None else _writable(Path(asked.sheet))
    preprocessing = parse_optional(asked.preprocess)
    stored = kept_in_memory(source)
    wanted = _Wanted(stored, preprocessing)
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        request = Request(
            model,
            Path(folder),
            asked.name or model_name(model),
            None if asked.weights is None else Path(asked.weights),
            shapes_of(asked.shape),
            example=peek(stored, preprocessing),
            survey=wanted.survey,
            module=asked.model.module if isinstance(asked.model, GivenModel) else None,
        )
        found: list[Checked] = []

        def look(opened: "FloatModel") -> None:
            asked.tell(Progress("data", 0, None, ""))
            found.append(check(wanted.samples(opened.inputs), opened, use_labels=not asked.ignore_labels))

        look_at_model(replace(request, look=look))
        return _seen(str(asked.model), str(source), found[0], not asked.ignore_labels, sheet)


def _writable(sheet: Path) -> Path:
    """Raises DataRefused before anything takes its time."""
    if sheet.suffix.lower() != ".png":
        raise DataRefused(f"{sheet} is not named as a PNG", "name it sheet.png")
    if not sheet.absolute().parent.is_dir():
        raise DataRefused(f"there is no folder {sheet.parent} for {sheet.name}", "make it, or name another")
    return sheet


@dataclass(frozen=True)
class _Wanted:
    source: "str | GivenData"
    preprocessing: "Preprocessing | None"

    def samples(self, inputs: "tuple[TensorSpec, ...]") -> "Samples":
        from edgeq.ingest.samples import open_samples

        return open_samples(self.source, inputs=inputs, preprocessing=self.preprocessing)

    def survey(self, inputs: "tuple[TensorSpec, ...]") -> "Survey | None":
        from edgeq.ingest.samples import may_differ
        from edgeq.ingest.varied import survey_of

        samples = self.samples(inputs) if may_differ(self.source, self.preprocessing) else None
        return None if samples is None else survey_of(samples, samples)


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
