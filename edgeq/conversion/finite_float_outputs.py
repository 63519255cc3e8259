"""Refuses samples on which float itself outputs NaN or infinity, by name, before any candidate is made.

A mask that hides everything leaves a softmax nothing to share out, a blank image a normalisation nothing to divide by. No
range is found with such a sample, and nothing can be compared with its NaN.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion import cache
from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.data_use import SampleSplit
from edgeq.errors import DataRefused
from edgeq.foreign import as_conversion_failed
from edgeq.nouns.model import Model
from edgeq.plain_text import counted

if TYPE_CHECKING:
    import numpy as np

    from edgeq.quantize.samples import SamplesLike

STAGE = "check the float model's outputs"
_NAMED = 4
_NONE = "the float model outputs NaN or infinity on all of {samples}, so they cannot be used: check the preprocessing"


def require_finite_outputs(
    job: ConversionJob,
    model: Model,
    split: SampleSplit,
    reference: "Sequence[np.ndarray]",
    progress: Callable[[str, float], None],
) -> tuple[str, ...]:
    """`reference` holds float's outputs on the samples that judge; float is run over those that calibrate. Random inputs are not
    checked: they need not be what the model is for. Raises DataRefused where float's outputs are finite on some samples only;
    where they are on none, the model may be like that, and a warning says so.
    """
    if split.all is None:
        return ()
    judged = ([output[i] for output in reference] for i in range(split.heldout.count))
    bad, count = _non_finite_samples(split.heldout, judged), split.heldout.count
    if split.calibration is not None and not split.same_samples:
        bad |= _of_calibration(model, split.calibration, job.target.threads, progress)
        count += split.calibration.count
    if len(bad) == count:
        return (_NONE.format(samples=counted(count, "sample")),)
    if bad:
        raise _refused(bad, count)
    return ()


def _of_calibration(
    model: Model, samples: "SamplesLike", threads: int, progress: Callable[[str, float], None]
) -> dict[str, str]:
    from edgeq.quantize.evaluate.kept_outputs import KeptOutputs

    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    kept = KeptOutputs(cache.of_samples(), Path(model.files[format]), samples, finite=format, threads=threads)
    if kept.are_finite():
        return {}
    bad = _non_finite_samples(samples, _float_outputs(model, samples, threads, progress))
    if not bad:
        kept.keep_finite()
    return bad


def _float_outputs(
    model: Model, samples: "SamplesLike", threads: int, progress: Callable[[str, float], None]
) -> "Iterator[Sequence[np.ndarray]]":
    from edgeq.quantize.run_model import load

    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    progress(STAGE, 0.0)
    runner = load(Path(model.files[format]), format, threads)
    for i in range(samples.count):
        with as_conversion_failed("the model does not run on this host's runtime"):
            outputs = runner(samples[i])
        yield outputs
        progress(STAGE, (i + 1) / samples.count)


def _non_finite_samples(samples: "SamplesLike", of_each: "Iterator[Sequence[np.ndarray]]") -> dict[str, str]:
    """Names of samples, each with what float outputs instead of a number."""
    return {
        name_of(samples, i): why for i, outputs in enumerate(of_each) if (why := _non_finite_value(outputs))
    }


def _non_finite_value(outputs: "Sequence[np.ndarray]") -> str:
    """For one sample; empty where float's outputs are finite. Minus infinity between finite numbers is the logarithm of
    zero, or a masked value.
    """
    import numpy as np

    for output in outputs:
        values = np.asarray(output)
        if values.dtype.kind != "f" or not values.size:
            continue
        if np.isnan(values).any():
            return "NaN"
        if np.isposinf(values).any() or not np.isfinite(values).any():
            return "infinity"
    return ""


def name_of(samples: "SamplesLike", i: int) -> str:
    """Its file, or its index in the file of all."""
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.closed_loop import SequencePart

    part = samples.part if isinstance(samples, SequencePart) else samples
    assert isinstance(part, Samples)  # as divide() made it
    return part.stored.name(part.indices[i])


def _refused(bad: dict[str, str], count: int) -> DataRefused:
    named = [f"{name}: {why}" for name, why in bad.items()]
    more = [f"and {len(bad) - _NAMED:,} more"] if len(bad) > _NAMED else []
    what = f"the float model outputs NaN or infinity on {len(bad):,} of {counted(count, 'sample')}"
    remedy = (
        "remove them: a mask that hides everything, or an image of one value, can lead to a division by zero"
    )
    return DataRefused(what, remedy, details=[*named[:_NAMED], *more])
