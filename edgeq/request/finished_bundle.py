"""Which options apply to a finished bundle: some choose among its candidates, the others were fixed by its
conversion.
"""

from dataclasses import Field
from pathlib import Path

from edgeq.errors import BundleRefused
from edgeq.nouns.bundle import Candidate, Manifest
from edgeq.nouns.recipe import one_recipe
from edgeq.nouns.target import Target
from edgeq.request.conversion_options import ConversionOptions
from edgeq.request.option import options_of
from edgeq.request.requests import ConvertRequest


def require_made_for(manifest: Manifest, target: Target, verb: str) -> None:
    """A finished bundle is for the kind of device that it was made for: the scheme follows from its CPU. `verb`: what was to be
    done with it, deploy or export.

    Raises BundleRefused.
    """
    if manifest.target != target.name:
        raise BundleRefused(
            f"this bundle was made for target {manifest.target}, not {target.name}",
            f"{verb} it with --target {manifest.target}, or convert again with --target {target.name}. "
            "Nothing was written or sent.",
        )


def require_nothing_fixed(
    bundle: Path, options: ConversionOptions, *, also: tuple[str, ...] = (), sends: bool = True
) -> None:
    """Refuses options that have no effect on a finished bundle: of those that convert() takes, only those that choose among
    its candidates have one, and of these not those in `also`. `sends`: the command sends it to a device.

    Raises BundleRefused, which names the options that have no effect and were given.
    """
    fixed = [each for each, rule in options_of(ConvertRequest) if rule.fixed_by_bundle or each.name in also]
    given = [each.name for each in fixed if _is_given(getattr(options, each.name, each.default), each)]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise BundleRefused(
            f"{bundle} is a finished bundle: {flags} {'has' if len(given) == 1 else 'have'} no effect on it",
            f"leave out {flags}, or convert the model again.{' Nothing was sent.' if sends else ''}",
        )


def _is_given(value: object, each: Field[object]) -> bool:
    return value is not each.default and value not in (None, "", {})


def excluded_by_options(candidate: Candidate, options: ConversionOptions) -> str | None:
    """Why `candidate` is none that --recipe or --runtime chose; None where it is one."""
    recipe, runtime = one_recipe(options.recipe), options.runtime
    if runtime not in (None, candidate.runtime):
        return f"--runtime {runtime} was asked for"
    if recipe is not None and candidate.recipe not in (recipe, "float"):
        return f"--recipe {recipe} was asked for"
    return None
