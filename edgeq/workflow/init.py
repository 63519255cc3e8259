"""init(): edgeq.toml for what is in a folder, or for what is named."""

from collections.abc import Iterable
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
    options = {
        "model": chosen,
        "name": name,
        "weights": weights_here(text(weights), chosen, here),
        "data": samples_here(text(data), here),
        "preprocess": preprocess,
    }
    begun = Project(options, {target: Place(host=host)} if target else {})
    path.write_text(project_text(begun), encoding="utf-8")
    questions = _open_questions(begun, chosen, here)
    return NewProject(path, begun, tuple(questions.values()), _next(questions, target))


def _open_questions(begun: Project, model: str, here: Found) -> dict[str, str]:
    """By the key of edgeq.toml that answers each."""
    options, questions = begun.options, {}
    if options["weights"] is None and ".py:" in model and here.weights:
        questions["weights"] = (
            f"weights left open: {', '.join(here.weights)}: which one belongs to {begun.model}"
        )
    if options["data"] is None:
        several = f"{', '.join(here.samples)}: which one holds the samples"
        why = several if here.samples else "there is no .npz file and no folder of images here"
        questions["data"] = f"data left open: {why}; static int8 needs samples, dynamic int8 and float do not"
    if options["preprocess"] is None and options["data"] in here.image_folders:
        questions["preprocess"] = (
            "preprocess left open: how were the images scaled in training? imagenet, unit, symmetric, caffe, or your own "
            "(docs/data.md)"
        )
    return questions


def _next(open_keys: Iterable[str], target: str | None) -> str:
    """The command to run now, after the keys that have to be set first."""
    deploy = f"edgeq deploy --target {target or 'local'}"
    if target is not None and catalog.target(target).os == "android":
        deploy = f"edgeq export --target {target} -o app/model.tflite"
    keys = " and ".join(f"`{key}`" for key in open_keys)
    return f"set {keys} in edgeq.toml, then {deploy}" if keys else deploy
