"""Opens the float model of a job. What a torch factory builds is traced first, unless it is recognised: no file tells what
that is.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.code_inputs.watch import Watch
from edgeq.conversion import cache, exported_graphs, formats, recognition
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.early_checks import EarlyChecks
from edgeq.conversion.expected_steps import OPEN, TRACE
from edgeq.conversion.recognition import Built
from edgeq.conversion.sample_source import SampleSource
from edgeq.conversion.trained_network import with_trained_network
from edgeq.ingest.open_model import open_model
from edgeq.ingest.pytorch.program import open_program
from edgeq.ingest.pytorch.traced import Program
from edgeq.ingest.request import Request
from edgeq.nouns.model import Model
from edgeq.nouns.progress import Note, Progress
from edgeq.request.tell import Tell


@dataclass(frozen=True)
class TorchModel:
    """What a torch factory builds; `program` is None where it is known from before, and nothing was traced."""

    built: Built
    program: Program | None


def torch_model(
    job: ConversionJob, samples: SampleSource, checks: EarlyChecks, tell: Tell
) -> TorchModel | None:
    """None for a model in a file."""
    if not job.is_torch_code:
        return None
    known = recognition.find(job)
    if known is None:
        return _traced(job, samples, checks, tell)
    tell(Progress(OPEN, 0, None, ""))
    tell(Note(f"{job.model} and all that it reads are unchanged: it is not traced again", detail=True))
    checks.findings = known.findings
    return TorchModel(known.built, None)


def _traced(job: ConversionJob, samples: SampleSource, checks: EarlyChecks, tell: Tell) -> TorchModel:
    tell(Progress(TRACE, 0, None, ""))
    watch = Watch()
    program = open_program(replace(_request(job, samples, checks, Path()), watch=watch))
    built = Built.of(program)
    if job.module is None:
        why = recognition.put(job, watch, built, checks.findings)
        if why:
            tell(Note(f"{job.model} is traced each time: {why}", detail=True))
    return TorchModel(built, program)


def open_float_model(
    job: ConversionJob,
    torch: TorchModel | None,
    samples: SampleSource,
    checks: EarlyChecks,
    work: Path,
    tell: Tell,
) -> Model:
    """The clean float model; the samples determine its open dimensions, and whether it can be opened."""
    request = replace(
        _request(job, samples, checks, work),
        formats=formats.opened(job.target, job.request.runtime, job.unavailable, trains=bool(job.epochs)),
        cache=cache.folder(),
        say=lambda text: tell(Progress(text, 0, None, "")),
    )
    model = open_model(request) if torch is None else _exported(job, torch, request, samples, checks, tell)
    samples.fitting(model.inputs)  # refuses what does not fit
    return with_trained_network(model, job, work, tell)


def _exported(
    job: ConversionJob,
    torch: TorchModel,
    request: Request,
    samples: SampleSource,
    checks: EarlyChecks,
    tell: Tell,
) -> Model:
    known = exported_graphs.find(torch.built, request)
    if known is not None:
        return known
    if torch.program is None:
        torch = _traced(job, samples, checks, tell)
    model = open_model(replace(request, program=torch.program))
    exported_graphs.put(torch.built, request, model)
    return model


def _request(job: ConversionJob, samples: SampleSource, checks: EarlyChecks, work: Path) -> Request:
    return Request(
        job.model,
        work,
        job.name,
        None
        if job.trained and not job.is_torch_code
        else job.weights,  # a file has its own, beside the trained network
        job.shapes,
        example=samples.first(),
        survey=samples.survey,
        module=job.module,
        look=checks.run,
    )
