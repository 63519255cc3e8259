"""Finds the states that a model feeds back, and makes its samples steps of a sequence where there are any."""

from dataclasses import replace
from pathlib import Path

from edgeq.nouns.model import Model
from edgeq.workflow.cached import Order
from edgeq.workflow.data_use import Parts


def in_sequence(parts: Parts, model: Model, order: Order) -> Parts:
    """`parts` as they are for a model without states, and where --states none or no data say nothing of a sequence.

    Where all samples store the same state, what a sequence begins with, ranges are found with the states that float has.
    Raises DataRefused for states that are named and not there.
    """
    from edgeq.ingest.samples import Samples
    from edgeq.quantize.closed_loop import InSequence, Steps, with_states_of
    from edgeq.quantize.host_run import load
    from edgeq.quantize.recurrent_state import find_states, may_have_states, named_states

    samples, calibration, heldout = parts.all, parts.calibration, parts.heldout
    if samples is None or parts.same or order.states == ():
        return parts
    assert isinstance(calibration, Samples) and isinstance(heldout, Samples)  # as divide() made them
    if order.states is None and not may_have_states(model.inputs, model.outputs):
        return parts
    format = "onnx" if "onnx" in model.files else next(iter(model.files))
    runner = load(Path(model.files[format]), format, order.target.threads)
    if order.states is None:
        states = find_states(model.inputs, model.outputs, runner, samples)
    else:
        states = named_states(order.states, model.inputs, model.outputs, runner, samples)
    if not states:
        return parts
    place = {index: position for position, index in enumerate(samples.indices)}
    judged, calibrates = (
        InSequence(part, Steps(samples, states, tuple(place[i] for i in part.indices)))
        for part in (heldout, calibration)
    )
    if not all(s.recorded for s in states):
        judged, calibrates = with_states_of(judged.sequence, runner, (judged, calibrates))
        return replace(parts, calibration=calibrates, heldout=judged)
    return replace(parts, heldout=judged)
