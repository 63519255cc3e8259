"""Which model, weights and samples a new project has: those that are named and there, else the only ones in the folder."""

from pathlib import Path

from edgeq.errors import DataRefused, ModelRefused
from edgeq.ingest.find import Found, find, torch_factories
from edgeq.user_code import names_code

_FORMATS = "an .onnx, .tflite or .pt2 file, or a torch model in a .py file"


def model_here(given: str | None, here: Found) -> str:
    if given is not None:
        return _existing_model(given)
    if not here.models:
        raise ModelRefused(
            f"there is no model in {Path().resolve()}",
            f"edgeq looks for {_FORMATS}. Name yours: `edgeq init path/to/model.onnx`; `edgeq demo` shows one deployed",
        )
    if len(here.models) > 1:
        raise ModelRefused(
            f"there are {len(here.models)} models here: {', '.join(here.models)}",
            f"name one: `edgeq init {here.models[0]}`",
        )
    return here.models[0]


def _existing_model(given: str) -> str:
    """Raises ModelRefused where there is no such file, or no such factory in it. Modules of packages are not looked up."""
    file, colon, _ = given.rpartition(":")
    if names_code(given) and not file.endswith(".py"):
        return given
    place = Path(file if names_code(given) else given)
    if not place.is_file():
        near = [m for m in find(place.parent).models if Path(m.partition(":")[0]).suffix == place.suffix]
        raise ModelRefused(
            f"there is no file {place}", f"there is: {', '.join(near)}" if near else f"give {_FORMATS}"
        )
    if place.suffix == ".py" and not colon:
        built = torch_factories(place)
        raise ModelRefused(
            f"{place} is Python: which function or class in it builds the model?",
            f"for example {place}:{built[0]}" if built else f"name it: {place}:FUNCTION",
        )
    return given


def weights_here(given: str | None, model: str, here: Found) -> str | None:
    """The only file of weights beside a torch factory, where none is named."""
    beside = here.weights[0] if ".py:" in model and len(here.weights) == 1 else None
    return _there(given) or beside


def samples_here(given: str | None, here: Found) -> str | None:
    if given is None:
        return here.samples[0] if len(here.samples) == 1 else None
    return _there(given, DataRefused)


def _there(given: str | None, refusal: type[ModelRefused] | type[DataRefused] = ModelRefused) -> str | None:
    if given is None:
        return None
    file = given.rpartition(":")[0] if names_code(given) else given
    place = Path(file)
    if file != given and not file.endswith(".py"):
        return given  # a function of a package, which is not imported to look for it
    if not place.exists():
        raise refusal(f"there is no file or folder {place}", "paths are relative to this folder")
    return given
