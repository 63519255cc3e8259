"""A torch module as a FloatModel: it runs eagerly, several samples at once where it takes them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgeq.foreign import as_conversion_failed
from edgeq.ingest.float_model import (
    Arrays,
    FirstLayer,
    FirstLayers,
    FirstNorm,
    FloatModel,
    is_informative,
    of_channels,
)
from edgeq.nouns.tensor import TensorSpec

if TYPE_CHECKING:
    import torch

Within = contextlib.AbstractContextManager[object] | None
Arguments = tuple[Any, ...]  # of a function of torch's
Keywords = dict[str, Any]
Seen = tuple[Any, ...]  # see _seen

_FAILED = "the model does not run on the samples"
_AT_ONCE = 16  # samples
_EPSILON = 1e-5  # the usual one; it hardly counts
_NEAR = 4  # layers with weights, among which the first batch normalization is looked for


class Call(Protocol):
    def __call__(self, tensors: "tuple[torch.Tensor, ...]", within: Within = None) -> object: ...


def float_model(call: Call, names: Sequence[str], inputs: "tuple[torch.Tensor, ...]") -> FloatModel:
    """`call(tensors, within)` runs the module, in a context where one is given, perhaps in another thread; `inputs` is one sample that it takes, and `names` are those of its inputs."""
    specs = tuple(
        TensorSpec(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in zip(names, inputs, strict=True)
    )
    several: list[bool] = []

    def at_once(samples: Sequence[Arrays]) -> int:
        if not several and len(samples) > 1:
            several.append(_takes_several(call, samples[:2]))
        return _AT_ONCE if several and several[0] else 1

    def answers(samples: Sequence[Arrays]) -> list[Arrays]:
        with as_conversion_failed(_FAILED), _one_thread():
            return [output for part in _parts(samples, at_once(samples)) for output in _apart(call, part)]

    def first_layers(samples: Sequence[Arrays]) -> FirstLayers:
        with as_conversion_failed(_FAILED), _one_thread():
            return _first_layers(call, _parts(samples, at_once(samples)))

    def macs(sample: Arrays) -> int:
        with as_conversion_failed(_FAILED), _one_thread():
            return _macs(call, sample)

    return FloatModel(specs, (), answers, first_layers, macs=macs)


def _parts(samples: Sequence[Arrays], size: int) -> list[Sequence[Arrays]]:
    return [samples[at : at + size] for at in range(0, len(samples), size)]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """More would wait for each other on a busy machine, for runs this short."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensors(arrays: Sequence[np.ndarray]) -> "tuple[torch.Tensor, ...]":
    import torch

    return tuple(torch.from_numpy(np.array(a)) for a in arrays)


def _outputs(call: Call, arrays: Sequence[np.ndarray]) -> Arrays:
    import torch

    with torch.no_grad():
        flat, _ = torch.utils._pytree.tree_flatten(call(_tensors(arrays)))
    return tuple(t.detach().numpy() for t in flat if isinstance(t, torch.Tensor))


def _apart(call: Call, samples: Sequence[Arrays]) -> list[Arrays]:
    """The outputs of each sample, of a module that takes them together."""
    if len(samples) == 1:
        return [_outputs(call, samples[0])]
    found = _outputs(call, _joined(samples))
    return [tuple(output[i : i + 1] for output in found) for i in range(len(samples))]


def _joined(samples: Sequence[Arrays]) -> Arrays:
    return samples[0] if len(samples) == 1 else tuple(map(np.concatenate, zip(*samples, strict=True)))


def _takes_several(call: Call, samples: Sequence[Arrays]) -> bool:
    """Whether two samples in one batch give the same outputs as each alone, up to rounding."""
    if any(array.ndim < 2 or array.shape[0] != 1 for sample in samples for array in sample):
        return False
    try:
        whole = _apart(call, samples)
    except Exception:  # whatever the module's own code raises
        return False
    alone = [_outputs(call, sample) for sample in samples]
    return all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
        for one, other in zip(whole, alone, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _first_layers(call: Call, parts: Sequence[Sequence[Arrays]]) -> FirstLayers:
    """Seen where torch's functions are called, so it does not matter how the module was written."""
    seen = [_seen(call, _joined(part)) for part in parts]
    layers, norms = [one[0] for one in seen if one[0]], [one[1] for one in seen if one[1]]
    return FirstLayers(
        _layer(layers) if len(layers) == len(seen) else None,
        _norm(norms) if len(norms) == len(seen) else None,
    )


def _layer(found: list[Seen]) -> FirstLayer | None:
    bias, axis = found[0][1:]
    if bias is None:
        return None
    return FirstLayer(*of_channels([value for value, *_ in found], axis), bias.astype(np.float64))


def _norm(found: list[Seen]) -> FirstNorm | None:
    _, mean, variance, epsilon = found[0]
    if mean is None or variance is None or not is_informative(mean, variance):
        return None
    spread = np.sqrt(variance.astype(np.float64) + epsilon)
    return FirstNorm(*of_channels([value for value, *_ in found], 1), mean.astype(np.float64), spread)


def _macs(call: Call, sample: Arrays) -> int:
    """Of the functions that hold a network's work, as they are called."""
    import torch
    from torch.overrides import TorchFunctionMode

    found = [0]

    class Counting(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self,
            func: Callable[..., Any],
            types: object,
            args: Arguments = (),
            kwargs: Keywords | None = None,
        ) -> object:
            result = func(*args, **(kwargs or {}))
            name = getattr(func, "__name__", "").partition(".")[0]
            found[0] += _macs_of(name, args, result) if args else 0
            return result

    with torch.no_grad():
        call(_tensors(sample), Counting())
    return found[0]


def _macs_of(name: str, args: Arguments, result: "torch.Tensor") -> int:
    if name.startswith("conv") and len(args) > 1:
        given = args[0] if "transpose" in name else result
        return int(given.numel() * args[1][0].numel())
    if name in ("linear", "matmul", "mm", "bmm", "__matmul__"):
        return int(result.numel() * args[0].shape[-1])
    if name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and isinstance(args[2], (tuple, list)):
        steps = args[0].numel() // args[0].shape[-1]
        return int(steps * sum(w.numel() for w in args[2]))
    if name == "scaled_dot_product_attention" and len(args) > 1:
        return 2 * int(result.numel() * args[1].shape[-2])
    return 0


class _Enough(Exception):
    """What is looked for was seen, or is not near the input: the rest of the network need not run."""


def _seen(call: Call, sample: Arrays) -> tuple[Seen | None, Seen | None]:
    """(values, bias, axis of the channels) of the first layer and (values, mean, variance, epsilon) of the first batch
    normalization, each None where there is none.
    """
    from torch.overrides import TorchFunctionMode

    found: list[Seen | None] = [None, None]
    layers = 0

    class Looking(TorchFunctionMode):  # type: ignore[misc]
        def __torch_function__(
            self,
            func: Callable[..., Any],
            types: object,
            args: Arguments = (),
            kwargs: Keywords | None = None,
        ) -> object:
            kwargs = kwargs or {}
            name, _, overload = getattr(func, "__name__", "").partition(".")
            if name == "batch_norm":
                found[1] = _of_norm(args, kwargs, exported=bool(overload))
                raise _Enough
            result = func(*args, **kwargs)
            layer = _of_layer(name, args, kwargs, result)
            if layer is not None:
                nonlocal layers
                layers += 1
                found[0] = found[0] or layer
            if layers == _NEAR:
                raise _Enough
            return result

    with contextlib.suppress(_Enough):
        call(_tensors(sample), Looking())
    return found[0], found[1]


def _of_norm(args: Arguments, kwargs: Keywords, *, exported: bool) -> Seen:
    """Of torch.nn.functional.batch_norm(input, mean, variance, weight, ...), or of an `exported` aten.batch_norm(input, weight,
    bias, mean, variance, ...).
    """
    first = 3 if exported else 1
    mean, variance = (*args[first : first + 2], *(kwargs.get(k) for k in ("running_mean", "running_var")))[:2]
    return _array(args[0]), _array(mean), _array(variance), _EPSILON


def _of_layer(name: str, args: Arguments, kwargs: Keywords, result: "torch.Tensor") -> Seen | None:
    if name in ("conv1d", "conv2d", "conv3d"):
        return _array(result), _array(args[2] if len(args) > 2 else kwargs.get("bias")), 1
    if name == "linear":
        return _array(result), _array(args[2] if len(args) > 2 else kwargs.get("bias")), -1
    return (None, None, -1) if name in ("matmul", "mm", "bmm") else None


def _array(tensor: "torch.Tensor | None") -> "np.ndarray | None":
    return None if tensor is None else tensor.detach().numpy().copy()
