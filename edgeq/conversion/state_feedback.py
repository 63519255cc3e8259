"""Finds the states that a model feeds back, and makes its samples steps of a sequence where there are any."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.conversion.conversion_job import ConversionJob
from edgeq.conversion.data_use import SampleSplit
from edgeq.nouns.model import Model

if TYPE_CHECKING:
    from edgeq.conversion.recurrent_state import Found, PossibleState
    from edgeq.quantize.closed_loop import State


def with_state_feedback(split: SampleSplit, model: Model, job: ConversionJob) -> SampleSplit:
    """`split` as it is for a model without states, and where --states none or no data say nothing of a sequence.

    Where the samples do not store a state at its step, but only what a sequence begins with, ranges are found with the states
    that float has. What may be a state, and is not shown to be, is among `state_warnings`.
    Raises DataRefused for states that are named and not there.
    """
    from edgeq.conversion.recurrent_state import Found, find_states, may_have_states, named_states
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.closed_loop import SequencePart, Sequences, with_states_of
    from edgeq.quantize.run_model import load

    samples, calibration, heldout = split.all, split.calibration, split.heldout
    if samples is None or split.same_samples or job.states == ():
        return split
    assert isinstance(calibration, Samples) and isinstance(heldout, Samples)  # as divide() made them
    if job.states is None and not may_have_states(model.inputs, model.outputs):
        return split
    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    runner = load(Path(model.files[format]), format, job.target.threads)
    if job.states is None:
        found = find_states(model.inputs, model.outputs, runner, samples)
    else:
        found = Found(named_states(job.states, model.inputs, model.outputs, runner, samples))
    states = found.states
    split = replace(split, state_warnings=_warnings(model, found))
    if not states:
        return split
    place = {index: position for position, index in enumerate(samples.indices)}
    judged, calibrates = (
        SequencePart(part, Sequences(samples, states, tuple(place[i] for i in part.indices)))
        for part in (heldout, calibration)
    )
    if not all(s.recorded for s in states):
        judged, calibrates = with_states_of(judged.sequence, runner, (judged, calibrates))
        return replace(split, calibration=calibrates, heldout=judged)
    return replace(split, heldout=judged)


def _warnings(model: Model, found: "Found") -> tuple[str, ...]:
    known = [_pair(model, s.output, s.input) for s in found.states]
    return (
        *(_of_state(model, s) for s in found.states if s.in_doubt),
        *(_of_possible_state(model, u, known) for u in found.possible_states),
    )


def _of_state(model: Model, state: "State") -> str:
    """The warning for a state that only its name shows."""
    output, given = model.outputs[state.output].name, model.inputs[state.input].name
    return f"{output} is fed back to {given}, but the stored {given} is not the {output} of the sample before: the samples may not be in their recorded order (store them in that order, or pass --states none if each sample is a single step)"


def _of_possible_state(model: Model, possible: "PossibleState", known: list[str]) -> str:
    outputs, inputs = (
        [model.outputs[o].name for o in possible.outputs],
        [model.inputs[i].name for i in possible.inputs],
    )
    several = max(len(outputs), len(inputs)) > 1
    shape = f"the shape of {' and '.join(inputs)}" if len(inputs) > 1 else f"{inputs[0]}'s shape"
    pair = ",".join([*known, *(f"OUTPUT={i}" if several else f"{outputs[0]}={i}" for i in inputs)])
    shown = " (samples in their recorded order show it)" if possible.varies else ""
    return f"{' and '.join(outputs)} {'have' if len(outputs) > 1 else 'has'} {shape}: if it is fed back, pass --states {pair}, else --states {','.join(known) or 'none'}; without it each sample is judged as a single step, so accumulated error is not measured{shown}"


def _pair(model: Model, output: int, given: int) -> str:
    return f"{model.outputs[output].name}={model.inputs[given].name}"
