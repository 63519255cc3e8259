"""Opens the float model of a job. What a torch factory builds is traced first: no file tells what that is."""

from dataclasses import replace
from pathlib import Path

from edgeq.conversion import cache, formats
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.early_checks import EarlyChecks
from edgeq.conversion.sample_source import SampleSource
from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Progress
from edgeq.request.tell import Tell


def traced_program(job: ConversionJob, samples: SampleSource, checks: EarlyChecks) -> Program | None:
    """None for a model in a file."""
    return open_program(_request(job, samples, checks, Path())) if job.is_torch_code else None


def open_float_model(
    job: ConversionJob,
    program: Program | None,
    samples: SampleSource,
    checks: EarlyChecks,
    work: Path,
    tell: Tell,
) -> Model:
    """The clean float model; the samples determine its open dimensions, and whether it can be opened."""
    model = open_model(
        replace(
            _request(job, samples, checks, work),
            formats=formats.loadable(job.target, job.request.runtime, job.unavailable),
            program=program,
            cache=cache.folder(),
            say=lambda text: tell(Progress(text, 0, None, "")),
        )
    )
    samples.fitting(model.inputs)  # refuses what does not fit
    return model


def _request(job: ConversionJob, samples: SampleSource, checks: EarlyChecks, work: Path) -> Request:
    return Request(
        job.model,
        work,
        job.name,
        job.weights,
        job.shapes,
        example=samples.first(),
        survey=samples.survey,
        module=job.module,
        look=checks.run,
    )
