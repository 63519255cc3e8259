"""Options that several commands share, and how they fall back to edgeq.toml. Parses only; imports nothing heavy."""

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgeq.cli.printable import echo, printable
from edgeq.model_name import is_model_name

if TYPE_CHECKING:
    from edgeq.nouns.project import Gates

F = TypeVar("F", bound=Callable[..., Any])


class _OnlyFinite(click.ParamType[Any]):
    """Not nan, not inf: no comparison with these ever fails a gate."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


class Finite(_OnlyFinite, click.types.FloatParamType):
    """A number."""


class FiniteRange(_OnlyFinite, click.FloatRange):
    """A number between two ends."""


class NameType(click.ParamType[Any]):
    """A model's name: it becomes a folder on the device."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not is_model_name(str(value)):
            self.fail(
                f"{value!r}: letters, digits and . _ + - only, at most 128, beginning with a letter or digit",
                param,
                ctx,
            )
        return str(value)


class ShapeType(click.ParamType[Any]):
    """`input=1,3,224,224` -> ("input", (1, 3, 224, 224))."""

    name = "NAME=N,N,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        if isinstance(value, tuple):
            return value
        name, _, dims = str(value).rpartition("=")
        try:
            shape = tuple(int(d) for d in dims.replace("x", ",").split(",") if d.strip())
        except ValueError:
            shape = ()
        if not name or not shape or min(shape) < 1:
            self.fail(f"{value!r} is not NAME=N,N,... such as input=1,3,224,224", param, ctx)
        return name, shape


class RepairsType(click.ParamType[Any]):
    """A selection of repairs, such as "fit,head" or "-smooth"; stays text."""

    name = "NAMES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from edgeq.nouns.repairs import repairs_of

        try:
            repairs_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class StatesType(click.ParamType[Any]):
    """Pairs such as "hn=h0,cn=c0", none or auto; stays text."""

    name = "PAIRS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from edgeq.nouns.states import states_of

        try:
            states_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def _stack(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def device_options(command: F) -> F:
    """Which device, and how to reach it."""
    return _stack(
        click.option(
            "--target",
            metavar="NAME",
            help="The kind of device (`edgeq targets`), or a .toml of your own; default: local, this machine.",
        ),
        click.option(
            "--host",
            metavar="USER@HOST",
            help="The device: user@address[:port], or an alias of ~/.ssh/config.",
        ),
        click.option("--port", type=click.IntRange(1, 65535), help="SSH port."),
        click.option("--identity", type=click.Path(path_type=Path), help="SSH private key."),
        click.option(
            "--accept-new-host-key", is_flag=True, help="Trust an unknown host key once and remember it."
        ),
        click.option(
            "--root",
            metavar="DIR",
            help="edgeq's folder on the device; default: /var/lib/edgeq where the login may write it, else ~/.local/share/edgeq.",
        ),
        project_option,
    )(command)


def project_option(command: F) -> F:
    return click.option(
        "--project",
        type=click.Path(path_type=Path),
        help="Project file; default: ./edgeq.toml where there is one.",
    )(command)


def convert_options(command: F) -> F:
    """How a model becomes candidates."""
    return _stack(
        click.option(
            "--data",
            metavar="SPEC",
            help="Samples: .npz, a folder of images or .npy files, or file.py:function.",
        ),
        click.option(
            "--preprocess",
            metavar="SPEC",
            help='For images: "imagenet" or "size=224x224,scale=1/255,mean=..,std=..,layout=NCHW".',
        ),
        click.option("--name", type=NameType(), help="The model's name on the device; default: its stem."),
        click.option(
            "--weights", type=click.Path(), help="state_dict for a torch factory such as net.py:build."
        ),
        click.option(
            "--shape",
            "shapes",
            type=ShapeType(),
            multiple=True,
            help="Pin an input's open dimensions; repeatable.",
        ),
        click.option(
            "--calibrate", type=click.IntRange(1), help="How many samples calibrate; the rest judge."
        ),
        click.option(
            "--calibrator",
            type=click.Choice(["auto", "minmax", "moving_average", "percentile", "mse", "entropy"]),
            help="How ranges are found; default: auto, per tensor what comes closest to float.",
        ),
        click.option(
            "--repairs",
            type=RepairsType(),
            help="What may be done beyond rounding; default: all. Or none, names (fit,head), all but some (-fit,-head).",
        ),
        click.option(
            "--recipe",
            type=click.Choice(
                [
                    "float",
                    "int8_static",
                    "int8_dynamic",
                    "int8_blockwise",
                    "int4_blockwise",
                    "int16x8_static",
                    "fp16",
                ]
            ),
            help="Only this way of quantizing (float is raced along).",
        ),
        click.option(
            "--runtime",
            type=click.Choice(["onnxruntime", "litert", "tflite-runtime"]),
            help="Only this runtime.",
        ),
        click.option(
            "--integer-io",
            is_flag=True,
            default=None,
            help="Static .tflite files take and give int8, as contract.json beside them says; else float.",
        ),
        click.option(
            "--states",
            type=StatesType(),
            help="Outputs that are fed back: OUTPUT=INPUT,...; or none; default: auto, by the samples' values. Candidates are "
            "then judged over the sequence, each with its own state.",
        ),
        gate_options,
        click.option(
            "--search-tries",
            type=click.IntRange(0),
            metavar="NUMBER",
            help="Where the gate fails: how many sets of layers in float are tried to find the smallest with which it holds; "
            "default: 64, fewer for large models. A larger number continues where a search ended.",
        ),
        click.option(
            "--search-seconds", type=FiniteRange(0), hidden=True
        ),  # until 0.2; convert() says what replaced it
        click.option(
            "--threads", type=click.IntRange(1), help="Threads the runtime may use; default: the target's."
        ),
    )(command)


def gate_options(command: F) -> F:
    """How far from float a candidate may be."""
    return _stack(
        click.option(
            "--max-drop",
            type=FiniteRange(0),
            metavar="POINTS",
            help="Accuracy that quantization may cost, with labels or --metric; default: 1.0.",
        ),
        click.option(
            "--confidence",
            type=FiniteRange(50, 99.9),
            metavar="PERCENT",
            help="Ask --max-drop of the lower end of the score's paired interval at this level, and say how many samples "
            "that takes; default: of the measured drop.",
        ),
        click.option(
            "--min-agreement",
            type=FiniteRange(0, 100),
            metavar="PERCENT",
            help="Samples that keep float's first class; default without labels: 90.",
        ),
        click.option(
            "--min-sqnr",
            type=Finite(),
            metavar="DB",
            help="Signal to quantization noise of each output; default without labels or classes: 10.",
        ),
        click.option(
            "--metric",
            metavar="FILE.PY:FUNCTION",
            help="Your own score: (outputs, labels) -> number, higher is better; 0 to 1 counts as 0 to 100 points.",
        ),
        click.option(
            "--ignore-labels",
            is_flag=True,
            default=None,
            help="Judge as if the samples had none: for labels that are not this model's.",
        ),
    )(command)


def seconds_option(default: float) -> Callable[[F], F]:
    return click.option(
        "--seconds",
        type=click.FloatRange(0.5),
        default=default,
        show_default=True,
        help="Longest time to measure; a race waits as long again for a quiet device.",
    )


def json_option(command: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document (docs/measurement-schema.md)."
    )(command)


def verbose_option(command: F) -> F:
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Also the route to the device, why other ways were not taken, and every figure of the race.",
    )(command)


def store_option(command: F) -> F:
    return click.option(
        "--store", metavar="URL", help="Where measurements are kept; default: SQLite in your state folder."
    )(command)


def device_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the device's options out of `options`; target, login and root, with edgeq.toml filling the gaps."""
    from edgeq.project import project_here
    from edgeq.workflow.session import Login

    project = project_here(options.pop("project"))
    target = options.pop("target") or "local"
    place = project.targets.get(target)
    host = options.pop("host") or (place.host if place else None)
    identity = options.pop("identity") or (
        Path(place.identity).expanduser() if place and place.identity else None
    )
    login = Login(
        host=host,
        port=options.pop("port") or (place.port if place else None),
        identity=identity,
        accept_new_host_key=options.pop("accept_new_host_key"),
        ask_password=_ask if _is_somebody_there() else None,
    )
    return {"target": target, "login": login, "root": options.pop("root") or (place.root if place else None)}


def convert_arguments(options: dict[str, Any], project_file: Path | None) -> dict[str, Any]:
    """Takes the options of conversion out of `options`, `model` among them; edgeq.toml fills the gaps."""
    from edgeq.nouns.project import Project
    from edgeq.project import project_here, without_another_model

    project = project_here(project_file)
    model = options.pop("model") or project.model
    if model is None:
        raise _no_model()
    if model.endswith(".edgeq"):
        project = Project()  # what a finished bundle was made from was decided then
    project, left = without_another_model(project, model)
    if left:
        echo(f"note      {left}", err=True)
    gates = gates_of(options, project.gates)
    return {
        "model": model,
        "data": options.pop("data") or project.data,
        "preprocess": options.pop("preprocess") or project.preprocess,
        "name": options.pop("name") or project.name,
        "weights": options.pop("weights") or project.weights,
        "shapes": {**project.shapes, **dict(options.pop("shapes"))},
        "calibrate": options.pop("calibrate") or project.calibrate,
        "calibrator": options.pop("calibrator"),
        "repairs": options.pop("repairs") or project.repairs,
        "recipe": options.pop("recipe"),
        "runtime": options.pop("runtime"),
        "integer_io": _given(options.pop("integer_io"), project.integer_io),
        "states": options.pop("states") or project.states,
        "gates": gates,
        "search_tries": options.pop("search_tries"),
        "search_seconds": options.pop("search_seconds"),
        "threads": options.pop("threads"),
    }


def _no_model() -> Exception:
    """With the models that lie here, so that the remedy can be typed as it stands."""
    from edgeq.errors import TargetRefused
    from edgeq.ingest.find import find

    models = find(Path()).models
    if not models:
        return TargetRefused(
            "which model? There is none in this folder",
            "name an .onnx, .pt2, .tflite or .edgeq file, or a torch factory: net.py:build",
        )
    return TargetRefused(
        f"which model? There is no edgeq.toml here; there is {', '.join(models)}",
        f"name it: {models[0]}; or write edgeq.toml: `edgeq init {models[0]}`",
    )


def _given(flag: bool | None, set_in_file: bool | None) -> bool | None:
    return set_in_file if flag is None else flag


def gates_of(options: dict[str, Any], gates: "Gates") -> "Gates":
    """Takes the gate's options out of `options`; what is not given is that of `gates`."""
    from dataclasses import replace

    for flag, field in (
        ("max_drop", "max_drop"),
        ("confidence", "confidence"),
        ("min_agreement", "min_agreement"),
        ("min_sqnr", "min_sqnr_db"),
        ("metric", "metric"),
        ("ignore_labels", "ignore_labels"),
    ):
        value = options.pop(flag)
        gates = replace(gates, **{field: value}) if value is not None else gates
    return gates


def _is_somebody_there() -> bool:
    """Whether a question reaches a person: at the terminal itself, as for `ssh`, or at stdin."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _ask(prompt: str) -> str:
    answer: str = click.prompt(printable(prompt), hide_input=True, err=True)
    return answer
