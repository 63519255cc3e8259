"""The checks of the samples that come before anything is exported or converted: a certain fault ends the command."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.sample_source import SampleSource
from edgeq.errors import DataRefused
from edgeq.nouns.data_check import DataFinding
from edgeq.nouns.progress import Progress
from edgeq.nouns.project import Gates
from edgeq.request.tell import Tell

if TYPE_CHECKING:
    from edgeq.ingest.float_model import FloatModel
    from edgeq.ingest.samples import Samples

STAGE = "check the samples"
OF_LABELS = frozenset(
    {"labels_impossible", "labels_shifted", "labels_renumbered", "preprocessing", "guessing", "one_class"}
)
_IGNORE = "--ignore-labels continues without them"


@dataclass
class EarlyChecks:
    """`run` is called once, as soon as the float model runs; `opened` hears how many samples there are. `findings` are then the warnings, told as they are found unless
    `deferred`, until `report`.
    """

    job: ConversionJob
    samples: SampleSource
    tell: Tell
    deferred: bool = False
    opened: Callable[[int], None] = lambda _: None
    findings: tuple[DataFinding, ...] = field(default=(), init=False)

    def run(self, model: "FloatModel") -> None:
        """Raises DataRefused for samples that do not fit, hold NaN, certainly are not what the model was trained on, that
        --calibrate takes all of, or that are too few for --finetune.
        """
        from edgeq.ingest.split import require_both

        self.tell(Progress(STAGE, 0, None, ""))
        samples = self.samples.fitting(model.inputs)
        if samples is None:
            return
        self.opened(samples.count)
        self.tell(Progress(STAGE, 0, None, ""))
        if self.job.request.calibrate is not None:
            require_both(samples, self.job.request.calibrate)
        if self.job.epochs:
            from edgeq.conversion.training_samples import require_enough

            require_enough(samples, self.job.request.calibrate)
        self.findings = findings_of(samples, model, self.job.gates)
        if not self.deferred:
            self.report()

    def report(self) -> None:
        for finding in self.findings:
            self.tell(finding)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(map(str, self.findings))


def findings_of(samples: "Samples", model: "FloatModel", gates: Gates) -> tuple[DataFinding, ...]:
    """The likely faults. Labels are the metric's own where there is one. Raises DataRefused for a certain fault."""
    from edgeq.data_checks.run import check

    use_labels = not gates.ignore_labels and gates.metric is None
    found = check(samples, model, use_labels=use_labels).findings
    _require_none_certain(found, samples.notes)
    return found


def _require_none_certain(findings: tuple[DataFinding, ...], notes: Sequence[str]) -> None:
    """Raises DataRefused with the first that is certain; all others are its details, and `notes`, how labels are numbered among
    them.
    """
    certain = next((finding for finding in findings if finding.certain), None)
    if certain is None:
        return
    remedy = f"{certain.remedy}; {_IGNORE}" if certain.kind in OF_LABELS else certain.remedy
    raise DataRefused(
        f"{certain.text}: the samples or labels do not belong to this model",
        remedy,
        details=[*(str(finding) for finding in findings if finding is not certain), *notes],
    )
