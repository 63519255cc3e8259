"""States: outputs whose values are an input's at the next step. Found by shape and values; names decide where these do not.

Of every output and input of the same type and shape, float's output for sample t is compared with the input that is
stored for sample t + 1.

- The stored inputs vary: the two are a state where they are equal but for rounding on most steps. An image that hardly
  changes from one sample to the next is no state of a network that denoises it: what counts is how much closer the output
  is to the next input than the input before it was.
- The stored inputs are all the same, as where every sample holds the zeros that a sequence begins with: then a name that
  tells a state from its next value decides (h0 and hn), or, for zeros, that no input of data has this shape: several
  states of one shape are paired in their order.
- The stored inputs vary and are not the output of the step before, as in samples that were shuffled or drawn at random: the
  names decide where they are a state's own (h_in and h_out; an image_in is an image). The state that float has then takes the
  place of the stored one, but for the first: an order of frames is needed to run anything at all. Labels, which belong to the
  stored states, leave it open.

What stays open and could be a state is `PossibleState`. An image to image network, whose only output is the answer, is none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import numpy as np

from edgeq.errors import DataRefused
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.closed_loop import Model, State
from edgeq.quantize.samples import Array, SamplesLike

Shape = tuple[Optional[int], ...]

_CHANNELS = (1, 3, 4)  # of images; maps that are fed back have more
_BY_ZEROS = "all samples store zeros, and no other input has its shape"
_BY_ZEROS_IN_ORDER = (
    "all samples store zeros; of several states of one shape the outputs are taken in the order of the inputs, which --states "
    "can say otherwise"
)
# What is added to the name of a state to tell its next value from it: state and stateN, h0 and hn, cell_in and cell_out.
_MARKS = re.compile(r"(?:[._-]?(?:in|input|out|output|new|next|prev|old|cur|n|t|0|1))+$", re.IGNORECASE)
_STATE_NAME = re.compile(
    r"(?:^|[._/-])(?:h|c|hx|cx)$|state|hidden|cell|memor|cache|carry|buffer|lstm|gru|rnn", re.IGNORECASE
)
_EQUAL = 0.02  # of the next input's size: what runtimes differ by, and half precision
_CLOSER = 0.2  # than the input of the step before
_MIN_SHARE = 0.5  # of all steps
_MIN_STEPS = 3  # steps that have to match
_GIVE_UP_AFTER = 64  # steps after which nothing that has not matched once is a state


@dataclass(frozen=True)
class PossibleState:
    """Positions of inputs, and of outputs of their shape, of which the samples do not show whether they are fed back. `varies`:
    the samples store more than one value of these inputs.
    """

    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    varies: bool


@dataclass(frozen=True)
class Found:
    states: tuple[State, ...]
    possible_states: tuple[PossibleState, ...] = ()


@dataclass(frozen=True)
class _Pair:
    """`matched[t]`: the output for sample t is what is stored for t + 1."""

    output: int
    input: int
    matched: tuple[bool, ...]
    stored_varies: bool
    stored_zero: bool
    output_varies: bool


def may_have_states(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> bool:
    """By types and shapes: whether it is worth running float to find out."""
    return len(inputs) > 1 and any(_alike(o, i) for o in outputs for i in inputs)


def find_states(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], runner: Model, samples: SamplesLike
) -> Found:
    """`runner` is the float model, `samples` are in the order in which they were recorded. At most one pair for each
    input and each output; none for a model of one input.
    """
    wanted = [(o, i) for o, a in enumerate(outputs) for i, b in enumerate(inputs) if _alike(a, b)]
    if len(inputs) < 2 or samples.count < 2 or not wanted:
        return Found(())
    pairs, varying = _compared(wanted, len(inputs), runner, samples)
    found = [
        State(
            p.output, p.input, "its stored values are the output of the step before", _starts(p.matched), True
        )
        for p in sorted(pairs, key=lambda p: -sum(p.matched))
        if p.stored_varies and sum(p.matched) >= max(_MIN_STEPS, _MIN_SHARE * len(p.matched))
    ]
    named = [p for p in pairs if p.output_varies and _names_fit(outputs[p.output], inputs[p.input])]
    constant = [p for p in pairs if not p.stored_varies and p.output_varies]
    found += [
        State(p.output, p.input, "all samples store the same value, and the names fit", frozenset({0}), False)
        for p in named
        if not p.stored_varies
    ]
    if samples.labels is None and samples.truth is None:
        found += [
            State(p.output, p.input, "the names fit", frozenset({0}), False, in_doubt=True)
            for p in named
            if p.stored_varies and _STATE_NAME.search(_stem(inputs[p.input].name))
        ]
    of_data = {inputs[i].shape for i in varying}
    zeros = [p for p in constant if p.stored_zero and inputs[p.input].shape not in of_data]
    states = _each_once([*found, *_in_order(zeros, found)])
    return Found(states, _possible_states(pairs, states, inputs, outputs, varying))


def _possible_states(
    pairs: Sequence[_Pair],
    states: Sequence[State],
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    varying: frozenset[int],
) -> tuple[PossibleState, ...]:
    """What is left of the pairs and could be a state next to data: an input that stores one value where another varies, or one
    that varies, is no image and no single number, and is next to data of another shape, where the model has an answer of
    another shape too. Where a state was found, another would be stored in the same way, and so have been found; and the first
    output of the first input's shape is an answer to it, a reconstruction or what a layer makes of a sequence.
    """
    outputs_known, inputs_known = {s.output for s in states}, {s.input for s in states}
    found_as_stored = any(not s.in_doubt for s in states)
    open_pairs: dict[int, list[_Pair]] = {}
    for p in pairs:
        if p.output in outputs_known or p.input in inputs_known or not p.output_varies:
            continue
        fit = _names_fit(outputs[p.output], inputs[p.input])
        if p.stored_varies and (found_as_stored or (p.output == p.input == 0 and not fit)):
            continue
        others = {inputs[i].shape for i in varying - {p.input}}
        if _may_be_state(
            inputs[p.input], others, {o.shape for o in outputs}, varies=p.stored_varies, names_fit=fit
        ):
            open_pairs.setdefault(p.input, []).append(p)
    alike: dict[tuple[tuple[int, ...], bool], list[int]] = {}
    for i, fitting in open_pairs.items():
        alike.setdefault((tuple(p.output for p in fitting), fitting[0].stored_varies), []).append(i)
    return tuple(PossibleState(o, tuple(of), varies) for (o, varies), of in alike.items())


def _may_be_state(
    given: TensorSpec, of_data: set[Shape], of_outputs: set[Shape], *, varies: bool, names_fit: bool
) -> bool:
    """Whether an output of `given`'s shape may be fed back into it; `of_data` are shapes of the other inputs that vary."""
    has_answer = bool(of_outputs - {given.shape})
    if not given.dtype.startswith("float"):
        return False
    if not varies:
        return bool(of_data) and (has_answer or given.shape not in of_data)
    if not has_answer or _is_image(given.shape):
        return False
    return names_fit or (bool(of_data - {given.shape}) and any(d != 1 for d in given.shape))


def _is_image(shape: Shape) -> bool:
    """[1, channels, height, width] or with channels last."""
    return len(shape) == 4 and (shape[1] in _CHANNELS or shape[3] in _CHANNELS)


def named_states(
    named: Sequence[tuple[str, str]],
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    runner: Model,
    samples: SamplesLike,
) -> tuple[State, ...]:
    """Those that the user named. Raises DataRefused for a name that the model has not, and for two of different shapes."""
    wanted = [(_position(o, outputs, "output"), _position(i, inputs, "input")) for o, i in named]
    for o, i in wanted:
        if not _alike(outputs[o], inputs[i]):
            raise DataRefused(
                f"--states {outputs[o].name}={inputs[i].name}: the output is {_words(outputs[o])}, the input {_words(inputs[i])}",
                "a state's next value has the type and shape of the state",
            )
    pairs, _ = _compared(wanted, len(inputs), runner, samples, named=True)
    return tuple(
        State(
            p.output,
            p.input,
            "--states names it",
            _starts(p.matched) if sum(p.matched) >= _MIN_SHARE * len(p.matched) else frozenset({0}),
            p.stored_varies,
        )
        for p in pairs
    )


def _compared(
    wanted: Sequence[tuple[int, int]],
    inputs: int,
    runner: Model,
    samples: SamplesLike,
    *,
    named: bool = False,
) -> tuple[list[_Pair], frozenset[int]]:
    """Each of `wanted` over all samples, and the positions of the inputs that vary."""
    matched: list[list[bool]] = [[] for _ in wanted]
    first, varying, moving = samples[0], set[int](), set[int]()
    outputs_first = before = runner(first)
    inputs_before = first
    for t in range(1, samples.count):
        now = samples[t]
        varying |= {k for k in range(inputs) if k not in varying and not np.array_equal(now[k], first[k])}
        for k, (o, i) in enumerate(wanted):
            matched[k].append(_is_next(before[o], now[i], inputs_before[i]))
        hopeless = all(i in varying and not any(matched[k]) for k, (_, i) in enumerate(wanted))
        if hopeless and t >= _GIVE_UP_AFTER and not named:
            break
        before, inputs_before = runner(now), now
        moving |= {
            o for o, _ in wanted if o not in moving and not np.array_equal(before[o], outputs_first[o])
        }
    pairs = [
        _Pair(o, i, tuple(matched[k]), i in varying, not np.any(first[i]), o in moving)
        for k, (o, i) in enumerate(wanted)
    ]
    return pairs, frozenset(varying)


def _is_next(output: Array, following: Array, preceding: Array) -> bool:
    if output.size != following.size:
        return False
    there = following.astype(np.float64).ravel()
    away = float(np.linalg.norm(output.astype(np.float64).ravel() - there))
    size = float(np.linalg.norm(there))
    if preceding.shape == following.shape:
        moved = float(np.linalg.norm(preceding.astype(np.float64).ravel() - there))
        if away > _CLOSER * moved:
            return False
    return size > 0.0 and away <= _EQUAL * size


def _starts(matched: Sequence[bool]) -> frozenset[int]:
    return frozenset({0, *(t + 1 for t, same in enumerate(matched) if not same)})


def _in_order(zeros: Sequence[_Pair], known: Sequence[State]) -> list[State]:
    """Of outputs and inputs that are left: as many of each, in their order."""
    outputs = sorted({p.output for p in zeros} - {s.output for s in known})
    inputs = sorted({p.input for p in zeros} - {s.input for s in known})
    allowed = {(p.output, p.input) for p in zeros}
    found: list[State] = []
    for group in _groups(inputs, allowed):
        fitting = [o for o in outputs if (o, group[0]) in allowed]
        if len(fitting) == len(group):
            found += [
                State(o, i, _BY_ZEROS if len(group) == 1 else _BY_ZEROS_IN_ORDER, frozenset({0}), False)
                for o, i in zip(fitting, group, strict=True)
            ]
    return found


def _groups(inputs: Sequence[int], allowed: set[tuple[int, int]]) -> list[list[int]]:
    """Inputs that the same outputs fit."""
    by: dict[frozenset[int], list[int]] = {}
    for i in inputs:
        by.setdefault(frozenset(o for o, k in allowed if k == i), []).append(i)
    return list(by.values())


def _each_once(found: Sequence[State]) -> tuple[State, ...]:
    outputs, inputs, kept = set[int](), set[int](), []
    for state in found:
        if state.output not in outputs and state.input not in inputs:
            outputs.add(state.output)
            inputs.add(state.input)
            kept.append(state)
    return tuple(sorted(kept, key=lambda s: s.input))


def _alike(output: TensorSpec, given: TensorSpec) -> bool:
    """Open dimensions fit every size."""
    if output.dtype != given.dtype or len(output.shape) != len(given.shape):
        return False
    return all(a == b or a is None or b is None for a, b in zip(output.shape, given.shape, strict=True))


def _position(name: str, specs: Sequence[TensorSpec], what: str) -> int:
    names = [s.name for s in specs]
    if name not in names:
        raise DataRefused(
            f"--states: the model has no {what} {name!r}", f"its {what}s are: {', '.join(names)}"
        )
    return names.index(name)


def _words(spec: TensorSpec) -> str:
    return f"{spec.dtype} {'x'.join('?' if d is None else str(d) for d in spec.shape) or 'scalar'}"


def _names_fit(output: TensorSpec, given: TensorSpec) -> bool:
    return bool(_stem(output.name)) and _stem(output.name) == _stem(given.name)


def _stem(name: str) -> str:
    return _MARKS.sub("", name).casefold()
