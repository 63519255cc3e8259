"""A torch model as an exported program, with an example input and its outputs."""

import contextlib
import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.code_inputs.watch import watching
from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest.extras import needed
from edgeq.ingest.float_model import FloatModel
from edgeq.ingest.graph.random_numbers import refusal
from edgeq.ingest.graph.trial import same
from edgeq.ingest.pytorch.float_run import Within, float_model
from edgeq.ingest.pytorch.load_program import first_line_of, load_program
from edgeq.ingest.pytorch.module import build_module
from edgeq.ingest.pytorch.open_weights import PROGRAM
from edgeq.ingest.pytorch.output_names import output_names
from edgeq.ingest.pytorch.shortcuts import with_convolutions
from edgeq.ingest.pytorch.traced import Program, Tensors
from edgeq.ingest.request import Request
from edgeq.limited.ask import ask
from edgeq.limited.limits import for_model
from edgeq.limited.native_call import RunTooLong, native_call

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram
    from torch.fx import Node

_RUNS = 4  # that show whether the network draws random numbers


def open_program(request: Request) -> Program:
    """Raises ModelRefused: no program, no factory, weights that do not fit, no shape, or not exportable; ExtraMissing
    without torch.
    """
    needed("torch", "torch", f"opening {request.source}")
    import torch

    with torch.no_grad():
        module, inputs, notes = _ready_to_run(request)
        request.look(_float_model(module, inputs, request.source))
        exported, expected = _exported(module, inputs, request.source)
        better, shortcuts = with_convolutions(exported, inputs)
        if shortcuts:
            notes = (
                *notes,
                f"strided zero-padded shortcuts replaced by equivalent 1x1 convolutions: {shortcuts}",
            )
        return Program(better, inputs, expected, _digest(exported), notes)


def look_at_module(request: Request) -> None:
    """Hands the module to `request.look` and exports nothing. Raises as `open_program`."""
    needed("torch", "torch", f"opening {request.source}")
    import torch

    with torch.no_grad():
        module, inputs, _ = _ready_to_run(request)
        request.look(_float_model(module, inputs, request.source))


def _ready_to_run(request: Request) -> "tuple[nn.Module, Tensors, tuple[str, ...]]":
    if _is_saved(request.source):
        return _saved(request)
    module, notes = build_module(request)
    with watching(request.watch):
        inputs = _example_inputs(module, request)
    return module, inputs, notes


def _float_model(module: "nn.Module", inputs: Tensors, source: str) -> FloatModel:
    names = _input_names(module)
    if len(names) != len(inputs):
        names = [f"input_{i}" for i in range(len(inputs))]

    def call(tensors: Tensors, within: Within = None) -> object:
        return _outputs(module, tensors, source, within)

    return float_model(call, names, inputs)


def _saved(request: Request) -> "tuple[nn.Module, Tensors, tuple[str, ...]]":
    if not Path(request.source).exists():
        raise ModelRefused(f"there is no file {request.source}")
    if request.weights is not None:
        raise ModelRefused(f"{request.source} brings its own weights", "leave out --weights")
    size = Path(request.source).stat().st_size
    ask(PROGRAM, request.source, for_model(size), run=not request.shapes)
    saved = load_program(request.source)
    module = saved.module()
    if request.shapes or saved.example_inputs is None:
        return module, _example_inputs(module, request), ()
    args, kwargs = saved.example_inputs
    return module, tuple(args) + tuple(kwargs.values()), ()


def _example_inputs(module: "nn.Module", request: Request) -> Tensors:
    """From --shape, else from the first sample, to which a batch axis is added where the model wants one."""
    names = _input_names(module)
    unknown = [name for name in request.shapes if name not in names]
    if unknown:
        raise ModelRefused(
            f"--shape names the input {unknown[0]!r}, which the model does not have",
            f"its inputs are: {', '.join(names)}",
        )
    tried = _candidates(module, names, request)
    if not tried:
        flags = " ".join(f"--shape {name}=1,?,?,?" for name in names)
        raise ModelRefused(
            f"torch does not say the shape of the model's input{'s' if len(names) > 1 else ''} {', '.join(names)}",
            f"give --data, or say it: {flags}",
        )
    reason: Exception | None = None
    for inputs in tried:
        try:
            _outputs(module, inputs, request.source)
            return inputs
        except RunTooLong:
            raise
        except Exception as error:  # torch raises whatever the model's own code raises
            reason = reason or error
    assert reason is not None
    _refuse_other_layout(module, request)
    shapes = "; ".join(
        f"{n} {'x'.join(map(str, t.shape))} {t.dtype}" for n, t in zip(names, tried[0], strict=False)
    )
    raise ModelRefused(
        f"{request.source} does not run on {shapes}: {first_line_of(reason)}",
        "give the input's shape with --shape",
    ) from reason


def _refuse_other_layout(module: "nn.Module", request: Request) -> None:
    """Raises DataRefused where the first sample would be taken if its channels were at the other end."""
    import torch

    if request.shapes or request.example is None or len(request.example) != 1:
        return
    array = _as_torch_takes_it(request.example[0])
    sample = torch.from_numpy(array.copy())
    sample = sample if sample.dim() == 4 else sample[None]
    if sample.dim() != 4:
        return
    for order, has, takes, how in (
        ((0, 3, 1, 2), "NHWC", "NCHW", "transpose(2, 0, 1)"),
        ((0, 2, 3, 1), "NCHW", "NHWC", "transpose(1, 2, 0)"),
    ):
        if _takes(module, (sample.permute(order).contiguous(),), request.source):
            raise DataRefused(
                f"the samples are {has} and the model takes {takes}: the first one has the shape "
                f"{'x'.join(map(str, array.shape))}",
                f"--preprocess layout={takes} for images, or {how} of each array",
            )


def _candidates(module: "nn.Module", names: list[str], request: Request) -> list[Tensors]:
    """Inputs to try, the likeliest first: samples with a batch axis, or as they are where the network takes any rank."""
    import torch

    generator = torch.Generator().manual_seed(0)
    if set(request.shapes) >= set(names):
        return [tuple(torch.rand(request.shapes[name], generator=generator) for name in names)]
    if request.example is None or len(request.example) < len(names):
        return []
    arrays = [_as_torch_takes_it(a) for a in request.example[: len(names)]]
    own = tuple(torch.from_numpy(a.copy()) for a in arrays)
    batched = tuple(t[None] for t in own)
    deeper = tuple(t[None] for t in batched)
    vectors = any(t.dim() < 2 for t in own)  # their batch axis is what makes products of matrices of them
    any_rank = not vectors and all(
        _takes(module, inputs, request.source) for inputs in (own, batched, deeper)
    )
    return [own, batched] if any_rank else [batched, own]


def _takes(module: "nn.Module", inputs: Tensors, source: str) -> bool:
    try:
        _outputs(module, inputs, source)
    except RunTooLong:
        raise
    except Exception:  # whatever the model's own code raises
        return False
    return True


def _as_torch_takes_it(array: np.ndarray) -> np.ndarray:
    """Pixels and doubles are float32 to a network; other integers are indices and stay."""
    return array.astype(np.float32) if array.dtype.kind == "f" or array.dtype == np.uint8 else array


def _input_names(module: "nn.Module") -> list[str]:
    """The arguments of forward that have no default."""
    parameters = inspect.signature(module.forward).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [p.name for p in named if p.default is p.empty] or [p.name for p in named[:1]] or ["input"]


def _exported(
    module: "nn.Module", inputs: Tensors, source: str
) -> "tuple[ExportedProgram, list[np.ndarray]]":
    import torch

    try:
        runs = [_arrays(_outputs(module, inputs, source)) for _ in range(_RUNS)]
        exported = torch.export.export(module, inputs, strict=False)
    except RunTooLong:
        raise
    except Exception as error:
        raise ModelRefused(
            f"torch.export cannot trace {source}: {first_line_of(error)}",
            "python control flow that depends on values cannot be exported; see the torch.export documentation",
        ) from error
    if not all(same(runs[0], other) for other in runs[1:]):
        raise _draws(exported, source)
    return exported, runs[0]


def _is_saved(source: str) -> bool:
    return source.lower().endswith(".pt2")


def _outputs(module: "nn.Module", inputs: Tensors, source: str, within: Within = None) -> object:
    """Without gradients. An untrusted file ends within a time limit; a factory is code of the user's own.
    `within` is a context for the thread that runs it.
    """
    import torch

    def call() -> object:
        with torch.no_grad(), within or contextlib.nullcontext():  # each thread has its own
            return module(*inputs)

    return native_call(call) if _is_saved(source) else call()


def _arrays(outputs: object) -> list[np.ndarray]:
    import torch

    flat, _ = torch.utils._pytree.tree_flatten(outputs)
    return [t.detach().numpy() for t in flat if isinstance(t, torch.Tensor)]


def _draws(exported: "ExportedProgram", source: str) -> ModelRefused:
    """The error for a network whose outputs differ from run to run."""
    import torch

    drawn = [
        node.target.name().partition("::")[2].partition(".")[0]
        for module in exported.graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) and not _rests(node)
    ]
    if drawn:
        return refusal(", ".join(dict.fromkeys(drawn)))
    return ModelRefused(
        f"{source} gives different outputs for the same input, so candidates cannot be compared with float",
        "make whatever changes between runs a model input",
    )


def _rests(node: "Node") -> bool:
    """Whether it is a dropout that is not in training."""
    return "dropout" in node.target.name() and len(node.args) > 2 and not node.args[2]


def _digest(exported: "ExportedProgram") -> str:
    """sha256 over the operators in order, the names of the outputs, and every parameter, buffer and constant."""
    digest = hashlib.sha256(repr(output_names(exported)).encode())
    for name, module in exported.graph_module.named_modules():  # branches and loops are modules of their own
        digest.update(f"{name}\n{getattr(module, 'code', '')}\n".encode())
    for name, value in sorted({**exported.state_dict, **exported.constants}.items()):
        array = np.ascontiguousarray(value.detach().cpu().numpy())
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
