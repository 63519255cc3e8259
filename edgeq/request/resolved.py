"""Completes a request: options that were given twice agree, edgeq.toml fills the others, every rule is checked."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeq.errors import TargetRefused
from edgeq.ingest.given_model import GivenModel, given_model
from edgeq.ingest.pytorch.trained_weights import holds_trained_network
from edgeq.nouns.job import Limits
from edgeq.nouns.progress import Note
from edgeq.nouns.project import Gates
from edgeq.request.conversion_options import WithGates, WithSamples
from edgeq.request.device_options import EveryCommand, Measured, OnDevice
from edgeq.request.login import Login
from edgeq.request.option import options_of, plain_numbers, require_rules
from edgeq.request.paths import is_path, text
from edgeq.request.project import Project, read_project, without_another_model
from edgeq.request.requests import DeployRequest, VerifyRequest
from edgeq.request.shapes import PLAIN, shapes_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from edgeq.ingest.given_data import GivenData

R = TypeVar("R", bound=EveryCommand)
D = TypeVar("D", bound=OnDevice)

# The field of the object that groups several keywords, by keyword.
_GATES = {
    each.name: rule.toml.removeprefix("gates.")
    for each, rule in options_of(WithGates)
    if rule.toml is not None and rule.toml.startswith("gates.")
}
_LOGIN = {name: name for name in ("host", "port", "identity", "accept_new_host_key", "ask_password")}
_LIMITS = {"seconds": "seconds"}


def resolved(request: R) -> R:
    """Resolving again changes nothing. Raises TypeError for two values that contradict each other and for one of a wrong type,
    TargetRefused for one out of its range, a project file with problems, and where no model is named.
    """
    require_rules(request)
    given = _renamed(plain_numbers(request))
    project = _project(given)
    if isinstance(given, WithSamples):
        given, project = _with_model(given, project)
    if isinstance(given, WithGates):
        given = _merge_group(given, "gates", Gates(), _GATES)
        given = _with_project_options(_expand_group(given, "gates", given.gates, _GATES), project)
        require_rules(given)  # of the parts of `gates` too
        given = plain_numbers(given)
        gates = {name: getattr(given, keyword) for keyword, name in _GATES.items()}
        given = replace(given, gates=replace(given.gates, **gates))
    if isinstance(given, WithSamples):
        given = replace(_with_project_options(given, project), shape=_shapes(given, project))
    if isinstance(given, (WithSamples, VerifyRequest)) and given.data is not None:
        given = replace(given, data=os.fspath(given.data) if is_path(given.data) else _given_data(given.data))
    if isinstance(given, OnDevice):
        given = _with_login(_default_target(given), project)
    if isinstance(given, Measured):
        given = _merge_group(given, "limits", Limits(), _LIMITS)
    given = replace(given, project=None)
    require_rules(given)
    return given


def _project(request: EveryCommand) -> Project:
    path = request.project
    project = Project() if path is None else read_project(Path(path))
    options = dict(project.options)
    for each, rule in options_of(request):
        if rule.replaced_by and each.name in options:
            request.tell(
                Note(
                    f"{path}: {each.name} is now {rule.replaced_by}; the old name goes with the next version"
                )
            )
            options[rule.replaced_by] = options.pop(each.name)
    return replace(project, options=options)


def _renamed(request: R) -> R:
    """`request` with each value that was given by an option's old name under the new one."""
    for each, rule in options_of(request):
        value = getattr(request, each.name) if rule.replaced_by else None
        if value is None:
            continue
        new = getattr(request, rule.replaced_by)
        if new not in (None, value):
            raise TargetRefused(
                f"--{rule.replaced_by} {new} and --{each.name} {value} contradict each other",
                f"leave out --{each.name}, the old name of --{rule.replaced_by}",
            )
        request.tell(
            Note(f"--{each.name} is now --{rule.replaced_by}; the old name goes with the next version")
        )
        request = replace(request, **{rule.replaced_by: value, each.name: None})
    return request


def _with_model(request: Any, project: Project) -> tuple[Any, Project]:
    """The named model, or that of edgeq.toml; and the options of edgeq.toml that apply to it."""
    model = project.model if _is_open(request.model) else request.model
    if model is None:
        raise _no_model()
    if not is_path(model):
        model = given_model(model)
    if isinstance(model, GivenModel):
        if request.weights is not None and not holds_trained_network(Path(request.weights)):
            raise TypeError(f"weights are for a torch factory such as net.py:build; {model} has its own")
        request = replace(request, name=request.name or model.name)
    else:
        model = os.fspath(model)
    if os.fspath(model).endswith(".edgeq"):
        project = Project(targets=project.targets)  # what a finished bundle was made from was decided then
    project, left = without_another_model(project, os.fspath(model))
    if left:
        request.tell(Note(left))
    return replace(request, model=model), project


def _no_model() -> TargetRefused:
    """The error names the models in this folder, so that the remedy can be typed as printed."""
    from edgeq.ingest.find import find

    models = find(Path()).models
    if not models:
        return TargetRefused(
            "which model? There is none in this folder",
            "name an .onnx, .pt2, .tflite or .edgeq file, or a torch factory: net.py:build",
        )
    return TargetRefused(
        f"which model? There is no edgeq.toml here; there is {', '.join(models)}",
        f"name {'it' if len(models) == 1 else 'one'}: {models[0]}; or write edgeq.toml: `edgeq init {models[0]}`",
    )


def _with_project_options(request: R, project: Project) -> R:
    """Options that were given are kept."""
    names = [each.name for each, rule in options_of(request) if rule.toml is not None]
    open = [name for name in names if name in project.options and _is_open(getattr(request, name))]
    return replace(request, **{name: project.options[name] for name in open})


def _shapes(request: Any, project: Project) -> dict[str, tuple[int, ...]]:
    """By input name. Where a program gave a model of one input, a plain shape is that input's."""
    shapes = shapes_of(request.shape)
    if PLAIN in shapes:
        inputs = request.model.inputs if isinstance(request.model, GivenModel) else ()
        if len(inputs) != 1:
            named = ", ".join(f"{name!r}: (1, ...)" for name in inputs or ("input",))
            raise TypeError(f"shape={request.shape!r} does not say of which input: shape={{{named}}}")
        shapes = {inputs[0]: shapes[PLAIN]}
    return shapes_of(project.options.get("shape")) | shapes


def _given_data(data: object) -> "GivenData":
    from edgeq.ingest.given_data import GivenData, given_data

    return data if isinstance(data, GivenData) else given_data(data)


def _is_open(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value)


def _default_target(request: D) -> D:
    """For the target that was named, else for that of the bundle that is deployed, or measured on another machine; else for this
    machine, where any bundle can be measured.
    """
    if request.target is not None:
        return request
    if isinstance(request, DeployRequest):
        bundles = [text(request.model)]
    else:
        there = request.host or (request.login and request.login.host)
        bundles = list(map(text, getattr(request, "what", ()))) if there else []
    bundle = next((b for b in bundles if b is not None and b.endswith(".edgeq")), None)
    if bundle is None:
        return replace(request, target="local")
    from edgeq.bundle import read_bundle

    with read_bundle(Path(bundle)) as opened:
        target = opened.manifest.target
    if target != "local":
        request.tell(Note(f"target {target}, which {bundle} was made for"))
    return replace(request, target=target)


def _with_login(request: D, project: Project) -> D:
    place = project.targets.get(text(request.target) or "")
    request = _merge_group(request, "login", Login(), _LOGIN)
    login = request.login or Login()
    if place is not None:
        identity = Path(place.identity).expanduser() if place.identity else None
        login = replace(
            login,
            host=login.host or place.host,
            port=login.port or place.port,
            identity=login.identity or identity,
        )
    root = request.root or (place.root if place else None)
    return _expand_group(replace(request, root=root), "login", login, _LOGIN)


def _merge_group(request: R, whole: str, nothing: "DataclassInstance", names: Mapping[str, str]) -> R:
    """`request` with its `whole` made of the keywords that are its parts, where it was not given itself."""
    defaults = {f.name: f.default for f in fields(request)}
    given = {k: getattr(request, k) for k in names if getattr(request, k) != defaults[k]}
    made = getattr(request, whole)
    if made is None:
        made = replace(nothing, **{names[k]: value for k, value in given.items()})
    for keyword, value in given.items():
        if getattr(made, names[keyword]) != value:
            raise TypeError(
                f"{keyword}={value!r} contradicts {whole}={made!r}: give {keyword} there, or leave {whole} out"
            )
    return replace(request, **{whole: made})


def _expand_group(request: R, whole: str, made: Any, names: Mapping[str, str]) -> R:
    parts: dict[str, Any] = {k: getattr(made, field) for k, field in names.items()}
    return replace(request, **{whole: made}, **parts)
