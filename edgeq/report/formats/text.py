"""How each noun is printed: `show` what happens on the way, `show_result` what a command ends with.

The tables at the end name the function for each type of noun, on the default screen and with -v (`in_full`).
"""

from functools import singledispatch

from rich.console import Console

from edgeq.nouns.data import DataUse
from edgeq.nouns.data_check import DataFinding, DataSeen
from edgeq.nouns.delivery import Delivery, Destination, Removal, SendPlan, WheelPlan
from edgeq.nouns.device import Facts
from edgeq.nouns.diagnosis import Diagnosis
from edgeq.nouns.effort import EffortSpent
from edgeq.nouns.export import Exported
from edgeq.nouns.fidelity import BetweenRuntimes, Fidelity
from edgeq.nouns.model import Model
from edgeq.nouns.model_summary import ModelSummary
from edgeq.nouns.plan import Plan
from edgeq.nouns.progress import Note, Route, Started
from edgeq.nouns.release import App, Rollback
from edgeq.nouns.report import Comparison, RaceReport
from edgeq.nouns.results import Benched, Conversion, Deployment, DeviceReport, Explained, Finetuned, Reported
from edgeq.nouns.service import ServiceChange, ServiceLog, ServiceStatus
from edgeq.nouns.training import Trained, Training
from edgeq.nouns.verification import Emulation, Verification, Verified
from edgeq.report.formats import (
    costs,
    data_seen,
    deployed,
    emulated,
    history,
    making,
    on_device,
    race_table,
    service,
    summary,
    training,
)
from edgeq.report.formats.explained import show_explained
from edgeq.report.formats.exported import show_exported
from edgeq.report.formats.layout import say
from edgeq.report.formats.model_summary import show_model_summary


def show(noun: object, console: Console, *, in_full: bool = False) -> None:
    """What just happened; `in_full` with every reason and figure. Raises TypeError for a noun without words."""
    (_event_in_full if in_full else _event)(noun, console)


def show_result(noun: object, console: Console, *, in_full: bool = False) -> None:
    """What a command ends with. Raises TypeError for a noun without words."""
    (_result_in_full if in_full else _result)(noun, console)


@singledispatch
def _event(noun: object, console: Console) -> None:
    raise TypeError(f"no words for {type(noun).__name__}")


@singledispatch
def _event_in_full(noun: object, console: Console) -> None:
    _event(noun, console)


@singledispatch
def _result(noun: object, console: Console) -> None:
    raise TypeError(f"no words for {type(noun).__name__}")


@singledispatch
def _result_in_full(noun: object, console: Console) -> None:
    _result(noun, console)


def _show_note(note: Note, console: Console) -> None:
    if not note.detail:
        _show_note_in_full(note, console)


def _show_note_in_full(note: Note, console: Console) -> None:
    say(console, "note", [note.text])


def _show_route(route: Route, console: Console) -> None:
    say(console, "route", [route.text])


def _later(noun: object, console: Console) -> None:
    """For other listeners than the screen, which prints it with the result, or only with -v."""


_event.register(Note, _show_note)
_event.register(EffortSpent, costs.show_effort)
_event.register(Destination, summary.show_destination)
_event.register(DataUse, summary.show_terms)
_event.register(DataFinding, making.show_finding)
_event.register(Plan, summary.show_nothing_quantized)
_event.register(Emulation, emulated.show_emulation)
_event.register(Verified, emulated.show_verified)
_event.register(ServiceChange, service.show_service_change)
_event.register(Trained, training.show_trained)
_event.register(Training, training.show_training)
for _noun in (
    Route,
    Model,
    Fidelity,
    BetweenRuntimes,
    Facts,
    WheelPlan,
    SendPlan,
    Delivery,
    RaceReport,
    Deployment,
    Started,
):
    _event.register(_noun, _later)

_event_in_full.register(Note, _show_note_in_full)
_event_in_full.register(Route, _show_route)
_event_in_full.register(Destination, _later)  # its facts are an event of their own
_event_in_full.register(Model, making.show_model)
_event_in_full.register(Plan, making.show_plan)
_event_in_full.register(DataUse, making.show_data)
_event_in_full.register(Fidelity, making.show_fidelity)
_event_in_full.register(BetweenRuntimes, making.show_between_runtimes)
_event_in_full.register(Facts, on_device.show_facts)
_event_in_full.register(WheelPlan, on_device.show_wheels)
_event_in_full.register(SendPlan, on_device.show_send_plan)
_event_in_full.register(Delivery, on_device.show_delivery)
_event_in_full.register(ServiceChange, service.show_service_change_in_full)

_result.register(Conversion, summary.show_conversion)
_result.register(Explained, show_explained)
_result.register(Exported, show_exported)
_result.register(ModelSummary, show_model_summary)
_result.register(Finetuned, training.show_finetuned)
_result.register(DataSeen, data_seen.show_data_seen)
_result.register(Verification, emulated.show_verification)
_result.register(Deployment, deployed.show_deployment)
_result.register(Benched, race_table.show_benched)
_result.register(Reported, history.show_reported)
_result.register(RaceReport, race_table.show_race)
_result.register(Comparison, history.show_comparison)
_result.register(DeviceReport, on_device.show_device_report)
_result.register(App, on_device.show_live)
_result.register(Rollback, on_device.show_rollback)
_result.register(Removal, on_device.show_removal)
_result.register(Diagnosis, on_device.show_diagnosis)
_result.register(ServiceChange, service.show_service_change_in_full)
_result.register(ServiceStatus, service.show_service_status)
_result.register(ServiceLog, service.show_service_log)

_result_in_full.register(Conversion, summary.show_conversion_in_full)
_result_in_full.register(Deployment, deployed.show_deployment_in_full)
_result_in_full.register(Benched, race_table.show_benched_in_full)
