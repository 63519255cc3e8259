"""status(): what lives on a device, and code that runs it there."""

from dataclasses import replace

from edgeq.application import RUNTIME
from edgeq.deliver.live_figures import live_figures
from edgeq.deliver.session import Session, session_for
from edgeq.errors import TargetRefused
from edgeq.example_code import LANGUAGES, NoExample, Place, contract_of
from edgeq.nouns.answers import LiveContract
from edgeq.nouns.release import App, DeviceStatus
from edgeq.nouns.results import DeviceReport
from edgeq.request.accepts import accepts
from edgeq.request.paths import text
from edgeq.request.requests import StatusRequest


@accepts(StatusRequest)
def status(request: StatusRequest) -> DeviceReport:
    """Asks the device, and the store for what was measured there before; changes nothing in either.

    Raises TargetRefused where nothing is known under `name` there, and where no program can be written for it.
    """
    with session_for(request, look_only=True) as device:
        found = device.status() if device.installed else None
        if request.name is not None or request.code is not None:
            found = _only(request, found, device.label)
        if found is None:
            return DeviceReport(device.facts, None)
        code = _program(request.code, found.apps[0], device) if request.code else None
        return DeviceReport(device.facts, found, live_figures(device, found, text(request.store)), code)


def _only(request: StatusRequest, found: DeviceStatus | None, label: str) -> DeviceStatus:
    """Narrowed to the one model that was asked about. Raises TargetRefused."""
    apps = [app for app in (found.apps if found else ()) if app.live or request.code is None]
    named = [app for app in apps if request.name in (None, app.name)]
    if found is not None and len(named) == 1:
        return replace(found, apps=tuple(named))
    there = ", ".join(app.name for app in apps)
    if named:
        raise TargetRefused(f"{label} has several models", f"name one: {there}")
    raise TargetRefused(
        f"{label} has nothing {f'under the name {request.name}' if request.name else 'live'}",
        f"it has: {there}" if there else "`edgeq deploy` installs a model there",
    )


def _program(language: str, app: App, device: Session) -> str:
    """For what is live under this name. Raises TargetRefused where its contract allows none."""
    live: LiveContract = device.link.call("contract", {"app": app.name})
    try:
        if language == "python" and RUNTIME not in live.files:
            raise NoExample(f"its release has no {RUNTIME}")
        contract = replace(contract_of(live.contract), app=app.name)
        place = Place(f"{live.path}/{contract.model}", live=live.path)
        return LANGUAGES[language](contract, place)
    except NoExample as error:
        raise TargetRefused(
            f"no program in {language} can be written for {app.name}: {error}",
            "deploy it again with this version of edgeq, or choose another --code",
        ) from None
