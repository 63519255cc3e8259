"""edgeq: quantize a trained model for the edge device you have, deliver it, measure it there.

The Python API mirrors the command line: `edgeq.convert`, `edgeq.explain`, `edgeq.deploy`, `edgeq.bench` and the rest;
`help(edgeq.convert)` lists every keyword. `edgeq.load` and `edgeq.quantize` return a model to call. All are resolved on first
use, so that `import edgeq` (which the device's agent does too) costs nothing and needs only the standard library.
"""

# Written by docs/make_stub.py.

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from onnx import ModelProto
from torch import nn
from torch.utils.data import Dataset

from edgeq.nouns.job import Limits as Limits
from edgeq.nouns.project import Gates as Gates
from edgeq.nouns.target import Target
from edgeq.request.login import Login as Login
from edgeq.loaded.model import LoadedModel as LoadedModel
from edgeq.nouns.data_check import DataSeen as DataSeen
from edgeq.nouns.delivery import Removal as Removal
from edgeq.nouns.diagnosis import Diagnosis as Diagnosis
from edgeq.nouns.export import Exported as Exported
from edgeq.nouns.release import Rollback as Rollback
from edgeq.nouns.results import Benched as Benched
from edgeq.nouns.results import Conversion as Conversion
from edgeq.nouns.results import Deployment as Deployment
from edgeq.nouns.results import DeviceReport as DeviceReport
from edgeq.nouns.results import Explained as Explained
from edgeq.nouns.results import Finetuned as Finetuned
from edgeq.nouns.results import Reported as Reported
from edgeq.nouns.service import ServiceChange as ServiceChange
from edgeq.nouns.service import ServiceLog as ServiceLog
from edgeq.nouns.service import ServiceStatus as ServiceStatus
from edgeq.nouns.verification import Verification as Verification

__version__: str

def bench(
    *what: str | PathLike[str],
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    seconds: float = 30.0,
    store: str | PathLike[str] | None = None,
    threads: int | None = None,
    candidate: str | None = None,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
    limits: Limits | None = None,
) -> Benched:
    """Measure what is live on a device, or .edgeq bundles. Activates nothing.

    Bundles are raced against each other, interleaved, the first being the reference; they are brought to the device
    for it and removed again unless they were there. Raises NotComparable for bundles with different inputs, TargetRefused for a
    `candidate` that a bundle does not have.

    Args:
        what: Names of live models, or .edgeq bundles to race against each other; default: all that is live.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        seconds: Measuring time; a race takes up to three times as long.
        store: Where measurements are stored; default: SQLite in your state folder.
        threads: Threads the runtime may use; default: the target's.
        candidate: Of bundles only this candidate, such as onnxruntime-float; default: all of one bundle, of
            several the one expected to be fastest.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
        limits: Limits(seconds, precision, ...): all limits that end a race.
    """

def convert(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    target: str | PathLike[str] | Target = 'local',
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    effort: str | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    passes: str | None = None,
    repairs: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    integer_io: bool | None = None,
    states: str | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    search_tries: int | None = None,
    search_seconds: float | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    max_latency_ms: float | None = None,
    max_bytes: int | None = None,
    time_budget: str | None = None,
    finetune: float | None = None,
    flip: bool | None = None,
    crop: int | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    low_rank: float | None = None,
    sparsity: float | None = None,
    project: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    gates: Gates | None = None,
    tell: Callable[[Any], None] = ...,
    unavailable: Mapping[str, str] | None = None,
    one_per_speed: bool = False,
    refuse: bool = True,
) -> Conversion:
    """Convert, quantize and judge a model for a target, and write the bundle.

    Target `local` is filled in from this machine. What was converted before from the same input is not converted again.
    Raises BundleRefused before anything else where `output` cannot be written, then ModelRefused, DataRefused,
    TargetRefused, ExtraMissing, ConversionFailed, and GateFailed where no quantized candidate is close enough to float.

    Args:
        model: An ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a torch.nn.Module or an
            onnx.ModelProto.
        target: The kind of device, or a .toml of your own.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        calibrate: How many samples calibrate; the others measure accuracy.
        calibrator: How activation ranges are found; default: auto, the one closest to float for each tensor. One
            of auto, entropy, minmax, moving_average, mse, percentile.
        effort: How much work is done to come closer to float (docs/quantization.md); default: default. One of
            quick, default, best.
        weight_bits: Static int8 with weights of so many bits on average, from 2: only smaller to send
            (docs/wire.md), not faster; with finetune it is trained with them; with levels from 1; default: 8.
        levels: What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a
            codebook of each channel (1 to 4), 4 bits by default; ternary or binary, with a scale. But for uniform
            ones the first and the last layer keep 8 bits; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        passes: Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but
            some (-fit,-head).
        recipe: Only this recipe (float is always raced too); auto: every one that can be built, and the best
            within the limits (docs/auto.md). One of auto, float, int8_static, int8_dynamic, int8_blockwise,
            int4_blockwise, int2_blockwise, int16x8_static, fp16, trained_static.
        runtime: Only this runtime. One of onnxruntime, litert, tflite-runtime.
        integer_io: Static .tflite files have int8 inputs and outputs, described in their contract.json; default:
            float.
        states: Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates
            then run over the whole sequence with their own states.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        search_tries: If the gate fails: how many sets of float layers to try to find the smallest that passes;
            default: 64, fewer for large models. A larger number continues an earlier search.
        threads: Threads the runtime may use; default: the target's.
        jobs: Samples that run at the same time while converting; the result is the same; default: one a core.
        max_latency_ms: Longest median latency on the device; what takes longer does not go live.
        max_bytes: Most bytes of a candidate's file on the wire, compressed (docs/wire.md).
        time_budget: Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but
            float and one quantized candidate are.
        finetune: Also train the quantized network (docs/training.md) for so many epochs; a fifth of data only
            judges; default: none.
        flip: With finetune: mirror every second image, by chance, left to right.
        crop: With finetune: shift images by up to so many pixels, by chance.
        activation_bits: With finetune: bits of what inner layers read, for onnxruntime; default: 8.
        prune: With finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to
            1, and train what is left, first in float.
        low_rank: With finetune: make two factors of large linear and 1x1 layers, so that they take so much of
            their multiplications, 0 to 1.
        sparsity: With finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.
        project: Project file, whose values replace keywords that are not given; default: none.
        output: The bundle to write; default: one in edgeq's cache.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
        unavailable: Runtimes that are not available on the device, each with the reason.
        one_per_speed: With recipe auto: of candidates that run the same kernels the bundle gets only the one that
            would be chosen.
        refuse: False: candidates that the gate refuses are written too, for inspection.
    """

def data(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    project: str | PathLike[str] | None = None,
    ignore_labels: bool | None = None,
    sheet: str | PathLike[str] | None = None,
    tell: Callable[[Any], None] = ...,
) -> DataSeen:
    """Look at some of the samples as a model gets them; nothing is converted.

    `refused` of the result says whether another command would refuse them. Raises ModelRefused and ExtraMissing as convert,
    and DataRefused for samples that cannot be read, do not fit the model's inputs or hold NaN.

    Args:
        model: As `edgeq convert` takes it.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        project: Project file, whose values replace keywords that are not given; default: none.
        ignore_labels: Check the samples as if they had no labels.
        sheet: A PNG to write: the samples as pictures, with label and float's prediction below each.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def deploy(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    effort: str | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    passes: str | None = None,
    repairs: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    integer_io: bool | None = None,
    states: str | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    search_tries: int | None = None,
    search_seconds: float | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    max_latency_ms: float | None = None,
    max_bytes: int | None = None,
    time_budget: str | None = None,
    finetune: float | None = None,
    flip: bool | None = None,
    crop: int | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    low_rank: float | None = None,
    sparsity: float | None = None,
    seconds: float = 30.0,
    store: str | PathLike[str] | None = None,
    keep: int | None = None,
    measure_again: bool = False,
    service: bool = False,
    dry_run: bool = False,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
    gates: Gates | None = None,
    limits: Limits | None = None,
) -> Deployment:
    """Convert a model (or take a finished .edgeq bundle), send it to a device, race its candidates there, and make the
    fastest that is faithful to float live.

    Raises every error of edgeq.errors; whatever is raised, what was live is live still.

    Args:
        model: As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        calibrate: How many samples calibrate; the others measure accuracy.
        calibrator: How activation ranges are found; default: auto, the one closest to float for each tensor. One
            of auto, entropy, minmax, moving_average, mse, percentile.
        effort: How much work is done to come closer to float (docs/quantization.md); default: default. One of
            quick, default, best.
        weight_bits: Static int8 with weights of so many bits on average, from 2: only smaller to send
            (docs/wire.md), not faster; with finetune it is trained with them; with levels from 1; default: 8.
        levels: What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a
            codebook of each channel (1 to 4), 4 bits by default; ternary or binary, with a scale. But for uniform
            ones the first and the last layer keep 8 bits; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        passes: Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but
            some (-fit,-head).
        recipe: Only this recipe (float is always raced too); auto: every one that can be built, and the best
            within the limits (docs/auto.md). One of auto, float, int8_static, int8_dynamic, int8_blockwise,
            int4_blockwise, int2_blockwise, int16x8_static, fp16, trained_static.
        runtime: Only this runtime. One of onnxruntime, litert, tflite-runtime.
        integer_io: Static .tflite files have int8 inputs and outputs, described in their contract.json; default:
            float.
        states: Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates
            then run over the whole sequence with their own states.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        search_tries: If the gate fails: how many sets of float layers to try to find the smallest that passes;
            default: 64, fewer for large models. A larger number continues an earlier search.
        threads: Threads the runtime may use; default: the target's.
        jobs: Samples that run at the same time while converting; the result is the same; default: one a core.
        max_latency_ms: Longest median latency on the device; what takes longer does not go live.
        max_bytes: Most bytes of a candidate's file on the wire, compressed (docs/wire.md).
        time_budget: Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but
            float and one quantized candidate are.
        finetune: Also train the quantized network (docs/training.md) for so many epochs; a fifth of data only
            judges; default: none.
        flip: With finetune: mirror every second image, by chance, left to right.
        crop: With finetune: shift images by up to so many pixels, by chance.
        activation_bits: With finetune: bits of what inner layers read, for onnxruntime; default: 8.
        prune: With finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to
            1, and train what is left, first in float.
        low_rank: With finetune: make two factors of large linear and 1x1 layers, so that they take so much of
            their multiplications, 0 to 1.
        sparsity: With finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.
        seconds: Measuring time; a race takes up to three times as long.
        store: Where measurements are stored; default: SQLite in your state folder.
        keep: How many releases to keep on the device; default: the target's.
        measure_again: Race again even if this release is already live.
        service: Also install the agent as a systemd service on the device.
        dry_run: Convert and print what would be sent; change nothing on the device.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        limits: Limits(seconds, precision, ...): all limits that end a race.
    """

def doctor(
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> Diagnosis:
    """Findings about this host, then about the device where `host` names one.

    Args:
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def explain(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    target: str | PathLike[str] | Target = 'local',
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    effort: str | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    passes: str | None = None,
    repairs: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    integer_io: bool | None = None,
    states: str | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    search_tries: int | None = None,
    search_seconds: float | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    max_latency_ms: float | None = None,
    max_bytes: int | None = None,
    time_budget: str | None = None,
    finetune: float | None = None,
    flip: bool | None = None,
    crop: int | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    low_rank: float | None = None,
    sparsity: float | None = None,
    project: str | PathLike[str] | None = None,
    gates: Gates | None = None,
    tell: Callable[[Any], None] = ...,
) -> Explained:
    """Explain, layer by layer, the quantized candidates of a model for a target; of a finished .edgeq bundle, those in it.

    What was converted before from the same input is not converted again. A candidate that cannot be analysed is reported and
    spoils no other. Raises as `convert`, but for a failed gate, which is explained, BundleRefused where there is nothing to
    explain, and ConversionFailed where no candidate can be.

    Args:
        model: As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.
        target: The kind of device, or a .toml of your own.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        calibrate: How many samples calibrate; the others measure accuracy.
        calibrator: How activation ranges are found; default: auto, the one closest to float for each tensor. One
            of auto, entropy, minmax, moving_average, mse, percentile.
        effort: How much work is done to come closer to float (docs/quantization.md); default: default. One of
            quick, default, best.
        weight_bits: Static int8 with weights of so many bits on average, from 2: only smaller to send
            (docs/wire.md), not faster; with finetune it is trained with them; with levels from 1; default: 8.
        levels: What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a
            codebook of each channel (1 to 4), 4 bits by default; ternary or binary, with a scale. But for uniform
            ones the first and the last layer keep 8 bits; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        passes: Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but
            some (-fit,-head).
        recipe: Only this recipe (float is always raced too); auto: every one that can be built, and the best
            within the limits (docs/auto.md). One of auto, float, int8_static, int8_dynamic, int8_blockwise,
            int4_blockwise, int2_blockwise, int16x8_static, fp16, trained_static.
        runtime: Only this runtime. One of onnxruntime, litert, tflite-runtime.
        integer_io: Static .tflite files have int8 inputs and outputs, described in their contract.json; default:
            float.
        states: Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates
            then run over the whole sequence with their own states.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        search_tries: If the gate fails: how many sets of float layers to try to find the smallest that passes;
            default: 64, fewer for large models. A larger number continues an earlier search.
        threads: Threads the runtime may use; default: the target's.
        jobs: Samples that run at the same time while converting; the result is the same; default: one a core.
        max_latency_ms: Longest median latency on the device; what takes longer does not go live.
        max_bytes: Most bytes of a candidate's file on the wire, compressed (docs/wire.md).
        time_budget: Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but
            float and one quantized candidate are.
        finetune: Also train the quantized network (docs/training.md) for so many epochs; a fifth of data only
            judges; default: none.
        flip: With finetune: mirror every second image, by chance, left to right.
        crop: With finetune: shift images by up to so many pixels, by chance.
        activation_bits: With finetune: bits of what inner layers read, for onnxruntime; default: 8.
        prune: With finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to
            1, and train what is left, first in float.
        low_rank: With finetune: make two factors of large linear and 1x1 layers, so that they take so much of
            their multiplications, 0 to 1.
        sparsity: With finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.
        project: Project file, whose values replace keywords that are not given; default: none.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def export(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    effort: str | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    passes: str | None = None,
    repairs: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    integer_io: bool | None = None,
    states: str | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    search_tries: int | None = None,
    search_seconds: float | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    max_latency_ms: float | None = None,
    max_bytes: int | None = None,
    time_budget: str | None = None,
    finetune: float | None = None,
    flip: bool | None = None,
    crop: int | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    low_rank: float | None = None,
    sparsity: float | None = None,
    project: str | PathLike[str] | None = None,
    output: str | PathLike[str],
    target: str | PathLike[str] | None = None,
    candidate: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    gates: Gates | None = None,
    tell: Callable[[Any], None] = ...,
) -> Exported:
    """Convert a model (or take a finished .edgeq bundle, for its own target), and write the file of the candidate that is
    expected to be fastest among those that passed the gate, with its contract and an example of code that runs it.

    Nothing that is there is replaced unless by `force`. Raises BundleRefused for `output` before anything is converted,
    TargetRefused and ModelRefused for what cannot become such a file, and what convert() raises.

    Args:
        model: As convert takes it, or a finished .edgeq bundle, by its path or as convert returned it.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        calibrate: How many samples calibrate; the others measure accuracy.
        calibrator: How activation ranges are found; default: auto, the one closest to float for each tensor. One
            of auto, entropy, minmax, moving_average, mse, percentile.
        effort: How much work is done to come closer to float (docs/quantization.md); default: default. One of
            quick, default, best.
        weight_bits: Static int8 with weights of so many bits on average, from 2: only smaller to send
            (docs/wire.md), not faster; with finetune it is trained with them; with levels from 1; default: 8.
        levels: What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a
            codebook of each channel (1 to 4), 4 bits by default; ternary or binary, with a scale. But for uniform
            ones the first and the last layer keep 8 bits; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        passes: Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but
            some (-fit,-head).
        recipe: Only this recipe (float is always raced too); auto: every one that can be built, and the best
            within the limits (docs/auto.md). One of auto, float, int8_static, int8_dynamic, int8_blockwise,
            int4_blockwise, int2_blockwise, int16x8_static, fp16, trained_static.
        runtime: Only this runtime. One of onnxruntime, litert, tflite-runtime.
        integer_io: Static .tflite files have int8 inputs and outputs, described in their contract.json; default:
            float.
        states: Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates
            then run over the whole sequence with their own states.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        search_tries: If the gate fails: how many sets of float layers to try to find the smallest that passes;
            default: 64, fewer for large models. A larger number continues an earlier search.
        threads: Threads the runtime may use; default: the target's.
        jobs: Samples that run at the same time while converting; the result is the same; default: one a core.
        max_latency_ms: Longest median latency on the device; what takes longer does not go live.
        max_bytes: Most bytes of a candidate's file on the wire, compressed (docs/wire.md).
        time_budget: Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but
            float and one quantized candidate are.
        finetune: Also train the quantized network (docs/training.md) for so many epochs; a fifth of data only
            judges; default: none.
        flip: With finetune: mirror every second image, by chance, left to right.
        crop: With finetune: shift images by up to so many pixels, by chance.
        activation_bits: With finetune: bits of what inner layers read, for onnxruntime; default: 8.
        prune: With finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to
            1, and train what is left, first in float.
        low_rank: With finetune: make two factors of large linear and 1x1 layers, so that they take so much of
            their multiplications, 0 to 1.
        sparsity: With finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.
        project: Project file, whose values replace keywords that are not given; default: none.
        output: A model file (x.tflite, x.onnx), or a folder (DIR/) for the model, its contract and an example.
        target: The kind of device, or a .toml of your own; default: the bundle's own, else local.
        candidate: Which candidate, such as litert-float; default: the one expected to be fastest that passed the
            gate.
        force: Replace existing files.
        dry_run: Convert and print what would be written; write nothing.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def finetune(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    *,
    target: str | PathLike[str] | Target = 'local',
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    importance: str | None = None,
    sparsity: float | None = None,
    low_rank: float | None = None,
    activation_ranges: str = 'learned',
    epochs: float = 5.0,
    float_epochs: float | None = None,
    learning_rate: float | None = None,
    batch: int = 128,
    label_share: float = 0.0,
    temperature: float | None = None,
    features: str | None = None,
    flip: bool = False,
    crop: int = 0,
    patience: int = 10,
    seed: int = 0,
    device: str = 'cpu',
    tensorboard: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    ignore_labels: bool | None = None,
    restart: bool = False,
    tell: Callable[[Any], None] = ...,
) -> Finetuned:
    """Train the quantized network of a model for a target (quantization-aware training), and write the weights.

    They hold the float model's own state_dict next to the trained network, and are given to deploy and convert as `weights`. An
    interrupted training goes on where it was. Raises ExtraMissing without torch, ModelRefused for what cannot be trained, DataRefused
    without samples, TargetRefused, and EdgeqError where the output cannot be written.

    Args:
        model: An ONNX or .pt2 file, a torch factory (net.py:build), a torch.nn.Module or an onnx.ModelProto.
        target: The kind of device, or a .toml of your own.
        data: Samples: a path (.npz, a folder of images or .npy files), file.py:function, an array, a dict of
            arrays by input name, a tuple (inputs, labels), a list of samples, a DataLoader or Dataset, or any
            iterable of samples.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        weight_bits: Bits of the weights, but of the first and the last layer, which keep 8; 3.5: each layer has
            its own, so many in the mean; default: 8.
        levels: What weights of few bits are: uniform integers, additive powers of two (apot), a codebook of each
            channel, or two or three values with a scale; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        activation_bits: Bits of what these layers read; default: 8.
        prune: Remove the channels and residual branches that cost the outputs least, and with them so much of the
            multiply-accumulates, 0 to 1; default: none.
        importance: With prune: which channels matter least, by what the outputs lose without them as gradients
            tell (taylor) or by how large they are (activations); what a round costs is measured either way;
            default: taylor. One of taylor, activations.
        sparsity: Make so much of the weights zero, 0 to 1, but of the first and the last layer, and train the
            others: only smaller to send; default: none.
        low_rank: Make two factors of large linear and 1x1 layers, so that they take so much of their
            multiplications, 0 to 1; default: all of them.
        activation_ranges: What the ranges of activations follow: the loss (learned), or the range of each mini-
            batch by an exponential moving average (ema), from what calibration chose on. One of learned, ema.
        epochs: How often each sample is trained on; a fraction is a part of the first.
        float_epochs: With prune or low_rank: epochs in which the smaller network learns in float, before it is
            quantized; default: as many as epochs.
        learning_rate: The share of itself by which a step moves a weight, at the peak; default: 0.01, lower where
            steps are few, 0.02 below 3 bits, 0.001 with 8.
        batch: Samples in a mini-batch.
        label_share: The labels' share in the loss, 0 to 1; the rest is the distance to float's outputs, which
            needs no labels.
        temperature: The temperature of the distillation of class scores; default: 2, and 4 while a smaller
            network learns in float.
        features: Tensors of the float graph that are distilled too, separated by commas.
        flip: Mirror every second image, by chance, left to right.
        crop: Shift images by up to so many pixels, by chance.
        patience: Stop after so many evaluations, two an epoch, without a better one; 0: never.
        seed: Of the order of samples and their changes.
        device: What torch computes on: cpu, cuda, cuda:1.
        tensorboard: Write event files for TensorBoard into this folder.
        project: Project file, whose values replace keywords that are not given; default: none.
        output: The weights to write; default: NAME-tuned.pt.
        ignore_labels: Train as if the samples had no labels.
        restart: Begin anew where an interrupted training would go on.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def install_service(
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    scope: str = 'system',
    every: str = '1h',
    dry_run: bool = False,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> ServiceChange:
    """Install, or bring up to date, the units that do jobs as they arrive and measure what is live `every` so often.

    Whatever fails midway, what was done is taken back. Raises DeviceError, TargetRefused.

    Args:
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        scope: system: as user edgeq, hardened, needs sudo; user: as the login, no root needed. One of system,
            user.
        every: How often what is live is measured: 15min, 1h, 6h, 1d ...
        dry_run: Print every file with its content and every command; change nothing.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def load(
    model: str | PathLike[str],
    *,
    project: str | PathLike[str] | None = None,
    candidate: str | None = None,
    threads: int | None = None,
    tell: Callable[[Any], None] = ...,
) -> LoadedModel:
    """Load a model to run it in this process, as an application on a device does (edgeq_runtime.py).

    Of a bundle the first candidate is taken whose runtime is installed here: the one expected to be fastest of those that passed
    the gate, which a deploy without a race would activate. A file that was exported with its contract beside it
    (net.contract.json) has the names and the preprocessing of that. Load only what you trust: a model runs with your
    rights. Raises BundleRefused, ModelRefused, TargetRefused for a candidate that there is not, ExtraMissing.

    Args:
        model: A .edgeq bundle, by its path or as convert returned it; an .onnx or .tflite file; a folder with
            contract.json, as export writes it; or a release on a device.
        project: Project file, whose values replace keywords that are not given; default: none.
        candidate: Which candidate, such as litert-float; default: of those whose runtime is installed here the
            first in the bundle, which is the one expected to be fastest that passed the gate.
        threads: Threads that the model runs with; default: those it was converted for, 1 for a file.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def quantize(
    model: str | PathLike[str] | nn.Module | ModelProto | None = None,
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    *,
    target: str | PathLike[str] | Target = 'local',
    preprocess: str | Mapping[str, object] | None = None,
    name: str | None = None,
    weights: str | PathLike[str] | None = None,
    shape: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
    calibrate: int | None = None,
    calibrator: str | None = None,
    effort: str | None = None,
    weight_bits: float | None = None,
    levels: str | None = None,
    passes: str | None = None,
    repairs: str | None = None,
    recipe: str | None = None,
    runtime: str | None = None,
    integer_io: bool | None = None,
    states: str | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    search_tries: int | None = None,
    search_seconds: float | None = None,
    threads: int | None = None,
    jobs: int | None = None,
    max_latency_ms: float | None = None,
    max_bytes: int | None = None,
    time_budget: str | None = None,
    finetune: float | None = None,
    flip: bool | None = None,
    crop: int | None = None,
    activation_bits: int | None = None,
    prune: float | None = None,
    low_rank: float | None = None,
    sparsity: float | None = None,
    project: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    candidate: str | None = None,
    gates: Gates | None = None,
    tell: Callable[[Any], None] = ...,
    unavailable: Mapping[str, str] | None = None,
    one_per_speed: bool = False,
    refuse: bool = True,
) -> LoadedModel:
    """Convert a model for a target, as `convert` does and with its keywords, and load what becomes of it, as `load` does.

    A torch.nn.Module is exported from a copy: yours keeps its parameters and its mode. The bundle is in edgeq's cache unless
    `output` names a place; `path` of what is returned is that of the bundle. Raises as convert and load.

    Args:
        model: An ONNX, .pt2 or .tflite file, a torch factory (net.py:build), a torch.nn.Module or an
            onnx.ModelProto.
        data: Samples, as convert takes them: an array, (inputs, labels), a DataLoader, a path ...
        target: The kind of device, or a .toml of your own.
        preprocess: For images: a preset (none, unit, symmetric, imagenet, caffe), keys
            ("size=224x224,scale=1/255,mean=..,std=..,layout=NCHW"), or both ("imagenet,size=192x192");
            docs/data.md has each.
        name: The model's name on the device; default: the file's name, or the function's in lower case.
        weights: state_dict for a torch factory such as net.py:build, or what `edgeq finetune` wrote.
        shape: Pins what the model leaves open: {"input": (1, 3, 224, 224)}; of a module with one input also (1,
            3, 224, 224).
        calibrate: How many samples calibrate; the others measure accuracy.
        calibrator: How activation ranges are found; default: auto, the one closest to float for each tensor. One
            of auto, entropy, minmax, moving_average, mse, percentile.
        effort: How much work is done to come closer to float (docs/quantization.md); default: default. One of
            quick, default, best.
        weight_bits: Static int8 with weights of so many bits on average, from 2: only smaller to send
            (docs/wire.md), not faster; with finetune it is trained with them; with levels from 1; default: 8.
        levels: What weights of few bits are: uniform integers; additive powers of two (apot, 2 to 4 bits) or a
            codebook of each channel (1 to 4), 4 bits by default; ternary or binary, with a scale. But for uniform
            ones the first and the last layer keep 8 bits; default: uniform. One of uniform, apot, codebook,
            ternary, binary.
        passes: Passes beyond rounding (docs/quantization.md); default: all. Or none, names (fit,head), all but
            some (-fit,-head).
        recipe: Only this recipe (float is always raced too); auto: every one that can be built, and the best
            within the limits (docs/auto.md). One of auto, float, int8_static, int8_dynamic, int8_blockwise,
            int4_blockwise, int2_blockwise, int16x8_static, fp16, trained_static.
        runtime: Only this runtime. One of onnxruntime, litert, tflite-runtime.
        integer_io: Static .tflite files have int8 inputs and outputs, described in their contract.json; default:
            float.
        states: Recurrent states, OUTPUT=INPUT,...; or none; default: auto, detected from the samples. Candidates
            then run over the whole sequence with their own states.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        search_tries: If the gate fails: how many sets of float layers to try to find the smallest that passes;
            default: 64, fewer for large models. A larger number continues an earlier search.
        threads: Threads the runtime may use; default: the target's.
        jobs: Samples that run at the same time while converting; the result is the same; default: one a core.
        max_latency_ms: Longest median latency on the device; what takes longer does not go live.
        max_bytes: Most bytes of a candidate's file on the wire, compressed (docs/wire.md).
        time_budget: Time for converting, such as 90s, 10m or 1h: what is expected to end later is not made, but
            float and one quantized candidate are.
        finetune: Also train the quantized network (docs/training.md) for so many epochs; a fifth of data only
            judges; default: none.
        flip: With finetune: mirror every second image, by chance, left to right.
        crop: With finetune: shift images by up to so many pixels, by chance.
        activation_bits: With finetune: bits of what inner layers read, for onnxruntime; default: 8.
        prune: With finetune: remove channels and residual branches with so much of the multiply-accumulates, 0 to
            1, and train what is left, first in float.
        low_rank: With finetune: make two factors of large linear and 1x1 layers, so that they take so much of
            their multiplications, 0 to 1.
        sparsity: With finetune: make so much of the inner layers' weights zero, 0 to 1: only smaller to send.
        project: Project file, whose values replace keywords that are not given; default: none.
        output: The bundle to write; default: one in edgeq's cache.
        candidate: Which candidate, such as litert-float; default: of those whose runtime is installed here the
            first in the bundle, which is the one expected to be fastest that passed the gate.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
        unavailable: Runtimes that are not available on the device, each with the reason.
        one_per_speed: With recipe auto: of candidates that run the same kernels the bundle gets only the one that
            would be chosen.
        refuse: False: candidates that the gate refuses are written too, for inspection.
    """

def report(
    *measurements: str,
    name: str | None = None,
    compare: bool = False,
    force: bool = False,
    fetch: bool = False,
    limit: int = 20,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> Reported:
    """Without `measurements` the newest rows; with them these, or (`compare`) the difference of each to the first.

    Raises NotComparable for different conditions unless `force`.

    Args:
        measurements: Measurements by number, or by job or its beginning; default: the newest are listed.
        name: Only this model.
        compare: Compare the measurements with each other; the first is the reference.
        force: Compare even if the conditions differ.
        fetch: First fetch the measurements that the service on host made.
        limit: Rows to list.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        store: Where measurements are stored; default: SQLite in your state folder.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def rollback(
    name: str,
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    to: str | None = None,
    dry_run: bool = False,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> Rollback:
    """Make the previous release live again, or the kept release whose digest starts with `to`.

    Raises RemoteFailed when there is nothing to go back to, ArtifactCorrupt when that release is damaged: in both
    cases what is live stays live. A dry run raises the same, and returns what would be live.

    Args:
        name: The model's name on the device.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        to: A kept release, by the first digits of its digest; default: the one before.
        dry_run: Print what would go live; change nothing.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def service_log(
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    scope: str | None = None,
    lines: int = 50,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> ServiceLog:
    """The last `lines` that the service wrote. Raises DeviceUnfit where none is installed.

    Args:
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        scope: Which service; default: the installed one. One of system, user.
        lines: How many lines.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def service_status(
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    scope: str | None = None,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> ServiceStatus:
    """The units, their last runs and the next one.

    Raises DeviceUnfit where no service is installed, TargetRefused where both are and no `scope` says which.

    Args:
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        scope: Which service; default: the installed one. One of system, user.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def status(
    name: str | None = None,
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    store: str | PathLike[str] | None = None,
    code: str | None = None,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> DeviceReport:
    """Asks the device, and the store for what was measured there before; changes nothing in either.

    Raises TargetRefused where nothing is known under `name` there, and where no program can be written for it.

    Args:
        name: Only this model; default: all that are live.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        store: Where measurements are stored; default: SQLite in your state folder.
        code: Print a whole program that runs the live model NAME on that device. One of python, c++.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def uninstall(
    name: str | None = None,
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    everything: bool = False,
    dry_run: bool = False,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> Removal:
    """Remove the model `name` from a device, or with `everything` the agent, every model, runtime and result.

    A service goes with the root that it works in. Other roots, and a service that works in one, stay. Raises TargetRefused
    where the device has no such model, TypeError unless it is either a name or everything.

    Args:
        name: The model's name on the device; none with everything.
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        everything: All models, runtimes, results and the agent: the whole folder.
        dry_run: Print what would be removed; change nothing.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def uninstall_service(
    *,
    target: str | PathLike[str] | None = None,
    host: str | None = None,
    port: int | None = None,
    identity: str | PathLike[str] | None = None,
    accept_new_host_key: bool = False,
    root: str | PathLike[str] | None = None,
    project: str | PathLike[str] | None = None,
    scope: str | None = None,
    everything: bool = False,
    dry_run: bool = False,
    ask_password: Callable[[str], str] | None = None,
    login: Login | None = None,
    tell: Callable[[Any], None] = ...,
) -> ServiceChange:
    """Remove the units, the service's user and its folders. Models that live there stay, unless `everything`. `scope` None:
    whichever service there is. Raises TargetRefused for both.

    Args:
        target: The kind of device (`edgeq targets`), or a .toml of your own; default: that of a finished bundle,
            else local, this machine.
        host: The device: user@address[:port], or an alias of ~/.ssh/config.
        port: SSH port.
        identity: SSH private key.
        accept_new_host_key: Trust an unknown host key once and remember it.
        root: edgeq's folder on the device; default: /var/lib/edgeq if the login can write there, else
            ~/.local/share/edgeq.
        project: Project file, whose values replace keywords that are not given; default: none.
        scope: Which service; default: the installed one. One of system, user.
        everything: Also remove the deployed models: the whole folder.
        dry_run: Print what would be done; change nothing.
        ask_password: Called with the prompt where a password or passphrase is needed; default: the login is
            refused.
        login: Login(host, port, identity, accept_new_host_key, ask_password): these keywords in one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """

def verify(
    bundle: str | PathLike[str],
    *,
    emulate: str | PathLike[str] | None = None,
    data: str | PathLike[str] | Iterable[Any] | Dataset[Any] | None = None,
    preprocess: str | None = None,
    calibrate: int | None = None,
    samples: int | None = None,
    candidate: str | Sequence[str] = (),
    rootfs: str | PathLike[str] | None = None,
    max_drop: float | None = None,
    confidence: float | None = None,
    min_agreement: float | None = None,
    min_sqnr: float | None = None,
    metric: str | None = None,
    ignore_labels: bool | None = None,
    project: str | PathLike[str] | None = None,
    gates: Gates | None = None,
    tell: Callable[[Any], None] = ...,
) -> Verification:
    """Run the candidates of a bundle as the CPU of target `emulate` computes them. Read `passed` of the result.

    Raises BundleRefused, DataRefused, TargetRefused, ExtraMissing and DeviceUnfit.

    Args:
        bundle: The .edgeq bundle.
        emulate: The target whose CPU is emulated, by name or as a .toml: one whose file has cpu.qemu (x86-64:
            AVX2 without VNNI); default: the target that the bundle was made for.
        data: Labelled samples of your own, as in `convert`; default: those in the bundle.
        preprocess: For images, as in `convert`; default: what the bundle says.
        calibrate: How many samples of data calibrated the bundle, if calibrate was given then.
        samples: How many samples to run on the emulated CPU; default: as many as fit in a minute.
        candidate: Only this candidate, such as onnxruntime-int8_static, or these.
        rootfs: A file system of the target's architecture with python3; default: the one in edgeq's cache.
        max_drop: Largest drop in accuracy; needs labels or metric; default: 1.0.
        confidence: Confidence level: the lower end of the paired interval must be within max_drop; default: only
            the measured drop.
        min_agreement: Lowest top-1 agreement with float; default without labels: 90.
        min_sqnr: Least signal-to-quantization-noise ratio of each output; default without labels or classes: 10.
        metric: Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.
        ignore_labels: Do not use the labels, for instance because they are not this model's.
        project: Project file, whose values replace keywords that are not given; default: none.
        gates: Gates(max_drop, min_agreement, min_sqnr_db, metric, ignore_labels, confidence): these keywords in
            one object.
        tell: Called with each event as it happens (edgeq/nouns); default: nothing is printed.
    """
