"""init(): edgeq.toml for what lies in a folder, or for what is named."""

from dataclasses import dataclass
from pathlib import Path

from edgeq import catalog
from edgeq.errors import TargetRefused
from edgeq.ingest.find import Found, find
from edgeq.nouns.project import Place
from edgeq.request.files_here import model_here, samples_here, weights_here
from edgeq.request.paths import AnyPath, text
from edgeq.request.project import FILE, Project, project_text


@dataclass(frozen=True)
class NewProject:
    """The project file that was written; `open_questions` are for the user to decide, `next` is the command to run now."""

    path: Path
    project: Project
    open_questions: tuple[str, ...]
    next: str


def init(
    model: AnyPath | None = None,
    *,
    data: AnyPath | None = None,
    preprocess: str | None = None,
    weights: AnyPath | None = None,
    target: str | None = None,
    host: str | None = None,
    name: str | None = None,
    force: bool = False,
) -> NewProject:
    """Write ./edgeq.toml. What is not given is looked for here: the model, its weights, its samples.

    Raises TargetRefused where an edgeq.toml is there already, ModelRefused and DataRefused where what is named is not there,
    and ModelRefused where no model is found or several are: a project without a model is not written.
    """
    path = Path(FILE)
    if path.exists() and not force:
        raise TargetRefused(f"{path} is there already", "edit it, or write a fresh one with --force")
    if target is not None:
        catalog.target(target)
    if host is not None and target is None:
        raise TargetRefused(f"{host} is which kind of device?", "add --target; `edgeq targets` lists them")
    here = find(Path())
    chosen = model_here(text(model), here)
    weights_file = weights_here(text(weights), chosen, here)
    samples = samples_here(text(data), here)
    options = {
        "model": chosen,
        "name": name,
        "weights": weights_file,
        "data": samples,
        "preprocess": preprocess,
    }
    begun = Project(options, {target: Place(host=host)} if target else {})
    path.write_text(project_text(begun), encoding="utf-8")
    questions = tuple(_open_questions(begun, here))
    return NewProject(path, begun, questions, _next(begun, here, target))


def _open_questions(begun: Project, here: Found) -> list[str]:
    lines = []
    if _needs_weights(begun, here):
        lines.append(f"weights left open: {', '.join(here.weights)}: which one belongs to {begun.model}")
    if begun.options["data"] is None:
        why = (
            f"{', '.join(here.samples)}: which one holds the samples"
            if here.samples
            else "there is no .npz file and no folder of images here"
        )
        lines.append(f"data left open: {why}; static int8 needs samples, dynamic int8 and float do not")
    if _needs_preprocess(begun, here):
        lines.append(
            "preprocess left open: how were the images scaled in training? imagenet, unit, symmetric, caffe, or your own "
            "(docs/data.md)"
        )
    return lines


def _needs_weights(begun: Project, here: Found) -> bool:
    model = begun.model
    return begun.options["weights"] is None and model is not None and ".py:" in model and bool(here.weights)


def _needs_preprocess(begun: Project, here: Found) -> bool:
    return begun.options["preprocess"] is None and begun.options["data"] in here.image_folders


def _next(begun: Project, here: Found, target: str | None) -> str:
    """The command to run now, after the keys that have to be set first."""
    deploy = f"edgeq deploy --target {target or 'local'}"
    if target is not None and catalog.target(target).os == "android":
        deploy = f"edgeq export --target {target} -o app/model.tflite"
    missing = {
        "weights": _needs_weights(begun, here),
        "data": begun.options["data"] is None,
        "preprocess": _needs_preprocess(begun, here),
    }
    keys = [f"`{key}`" for key, is_missing in missing.items() if is_missing]
    return f"set {' and '.join(keys)} in edgeq.toml, then {deploy}" if keys else deploy
