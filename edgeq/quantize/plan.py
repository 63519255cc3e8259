"""Decides which candidates are built for a target, in the order of their expected speed, and says why not the others.

Knows the target's facts and the model's graph; touches no sample and writes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgeq.catalog import require_runtime
from edgeq.errors import DataRefused, ModelRefused, TargetRefused
from edgeq.graphs.float_graph import PER_CHANNEL_OPSET
from edgeq.graphs.input_shapes import OPEN_SHAPES
from edgeq.graphs.macs import GraphMacs, graph_macs
from edgeq.graphs.op_sets import BLOCKWISE, DYNAMIC, LOWERED, STATIC
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan, Plan, Skipped
from edgeq.nouns.recipe import AUTO, Recipe, one_recipe
from edgeq.nouns.target import FORMATS, Target
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.quantize.fewer_bits import with_fewer_bits
from edgeq.quantize.ranked import ranked
from edgeq.quantize.scheme import (
    blocks_gain,
    dynamic_scheme,
    few_bits_gain,
    has_half,
    scheme_for,
    sixteen_bits,
    why_no_blocks,
    why_slower_than_float,
)
from edgeq.quantize.trained_candidate import (
    DENSE,
    NOTHING_TRAINED,
    TrainedNetwork,
    trained_candidate,
    trained_networks,
)
from edgeq.quantize.usable_runtimes import usable_runtimes

PREQUANTIZED = "as_is"
NO_FLOAT = (
    "none: the source is already quantized, so there is no float model to compare with"  # in place of a rule
)
# Share of the MACs from which dynamic int8 is expected to beat static; and of MACs or weights from which it is raced:
# an LSTM multiplies one vector at a time, so its weights' bytes cost more than its multiplications.
_DOMINATES = 0.5
_WORTH_TRYING = 0.25
# Rows from which dynamic int8 is the faster, x86 with VNNI, against float: one row 3.7 times, 4 bits 4.8, 8 bits 3.3;
# two rows 3.8, 3.8, 3.1; eight 4.1, 2.0, 2.1; sixty-four 3.1, 0.8, 0.9.
_MANY_ROWS = 4
_FEWEST_BITS_TRIED = 4  # in blocks, without asking: 2 bits lose too much on most networks, and are no faster
_FALLBACKS = ("int16x8_static",)
_NO_DATA = "there are no calibration samples (--data)"


@dataclass(frozen=True)
class _PlanInput:
    """The request and the facts that decide what is built; `graphs` by format."""

    target: Target
    isa: tuple[str, ...]
    has_data: bool
    recipe: str | None
    integer_io: bool
    graphs: Mapping[str, GraphMacs]
    kept_opset: str
    weight_bits: float = 8
    levels: str = UNIFORM
    network: TrainedNetwork = NOTHING_TRAINED

    def graph(self, runtime: str) -> GraphMacs:
        return self.graphs[FORMATS[runtime]]

    def lacks(self, runtime: str, opset: int, operator: str) -> str:
        """Why a graph older than `opset` cannot have `operator`; empty where it is new enough."""
        has = self.graph(runtime).opset
        if has is None or has >= opset:
            return ""
        return f"opset {has} has no {operator}{f'; {self.kept_opset}' if self.kept_opset else ''}"


def make_plan(
    model: Model,
    target: Target,
    recipes: tuple[Recipe, ...],
    *,
    isa: tuple[str, ...] | None = None,
    has_data: bool,
    recipe: str | None = None,
    runtime: str | None = None,
    unavailable: Mapping[str, str] | None = None,
    integer_io: bool = False,
    weight_bits: float = 8,
    levels: str = UNIFORM,
    networks: tuple[TrainedNetwork, ...] | None = None,
    why_not_fewer: str = "",
) -> Plan:
    """`isa` are the device's own flags where they are known, else the target's; `unavailable` says which runtimes the
    device cannot have and why. `integer_io`: static candidates for LiteRT take and give integers.
    `weight_bits`: below 8, static int8 has weights of so many bits on average, on `levels` of a kind of edgeq/nouns/weight_levels.py. `networks`: the trained ones that there will be; default:
    the model's own. `recipe` "auto": every recipe that can be built, and static int8 with fewer bits beside it unless `why_not_fewer`
    says why not.

    Raises TargetRefused when recipe, runtime, integer_io and target contradict each other, ModelRefused when the source has
    no graph for the target's runtimes, DataRefused when a static recipe has no samples.
    """
    _known(recipe, recipes, runtime, target)
    runtimes, skipped = usable_runtimes(model, target, runtime, dict(unavailable or {}))
    if model.quantized:
        cpu = target.cpu.isa if isa is None else isa
        return _plan_prequantized(model, target, cpu, runtimes, recipe, skipped, integer_io)
    shapes = model.varied.device if model.varied else OPEN_SHAPES
    graphs = {
        format: graph_macs(Path(model.files[format]), format, shapes)
        for format in {FORMATS[r] for r in runtimes}
    }
    given = _PlanInput(
        target,
        target.cpu.isa if isa is None else isa,
        has_data,
        recipe,
        integer_io,
        graphs,
        model.kept_opset,
        8 if recipe == AUTO else weight_bits,
        levels,
    )
    if networks is None:
        networks = trained_networks(model)
    found: list[tuple[int, CandidatePlan]] = []
    unlikely: list[tuple[int, CandidatePlan]] = []  # to be the fastest: only --recipe auto builds them
    for name in runtimes:
        # A recipe that is not for this runtime was never a choice; it is only mentioned to whoever asked for it.
        for r, asked in _choices(recipes, name, given, networks):
            answer = _decide(r, name, asked)
            if isinstance(answer, Skipped):
                skipped.append(answer)
            elif recipe == AUTO and isinstance(_decide(r, name, replace(asked, recipe=None)), Skipped):
                unlikely.append(answer)
            else:
                found.append(answer)
    _require_data(model, target, found, given, skipped)
    ordered = tuple(c for each in (found, unlikely) for _, c in sorted(each, key=lambda pair: pair[0]))
    fallbacks = tuple(c for c in ordered if c.recipe in _FALLBACKS and recipe not in (c.recipe, AUTO))
    candidates = tuple(c for c in ordered if c not in fallbacks)
    _require_quantized(model, target, candidates, given, skipped)
    if integer_io and not any(c.scheme is not None and c.scheme.integer_io for c in candidates):
        _no_integer_io(target, skipped)
    plan = Plan(target.name, candidates, tuple(skipped), fallbacks)
    return with_fewer_bits(plan, why_not_fewer, weight_bits) if recipe == AUTO else plan


def _choices(
    recipes: tuple[Recipe, ...], runtime: str, given: _PlanInput, networks: tuple[TrainedNetwork, ...]
) -> Iterator[tuple[Recipe, _PlanInput]]:
    """The recipes for `runtime`, that of trained networks once for each of them; beside trained ones static int8 knows the first."""
    first, *others = networks or (NOTHING_TRAINED,)
    for recipe in recipes:
        usual = runtime in recipe.runtimes and (recipe.method != "trained" or first.is_asked_for)
        if usual or recipe.name == given.recipe:
            yield recipe, replace(given, network=first)
        if usual and recipe.method == "trained":
            yield from ((recipe, replace(given, network=other)) for other in others)


def _known(recipe: str | None, recipes: tuple[Recipe, ...], runtime: str | None, target: Target) -> None:
    names = [r.name for r in recipes]
    if one_recipe(recipe) is not None and recipe not in names:
        raise TargetRefused(f"there is no recipe {recipe!r}", f"the recipes are: {', '.join(names)}")
    require_runtime(target, runtime)


def _plan_prequantized(
    model: Model,
    target: Target,
    isa: tuple[str, ...],
    runtimes: list[str],
    recipe: str | None,
    skipped: list[Skipped],
    integer_io: bool,
) -> Plan:
    if integer_io:
        raise ModelRefused(
            f"{model.name} is quantized already ({model.quantized}): what it takes and gives stays as it is",
            "leave out --integer-io to deploy it as it is, or give the float model",
        )
    if recipe not in (None, AUTO, PREQUANTIZED):
        raise ModelRefused(
            f"{model.name} is quantized already ({model.quantized}), so --recipe {recipe} cannot be applied",
            "leave out --recipe to deploy it as it is, or give the float model",
        )
    name = runtimes[0]
    reason = f"the source is quantized already ({model.quantized})"
    saturates = scheme_for(name, target.cpu.arch, isa)[0].pairs_fit
    candidate = CandidatePlan(
        f"{name}-{PREQUANTIZED}", name, PREQUANTIZED, FORMATS[name], reason, pairs_saturate=saturates
    )
    return Plan(target.name, (candidate,), (*skipped, Skipped("every other recipe", reason)))


def _decide(recipe: Recipe, runtime: str, given: _PlanInput) -> tuple[int, CandidatePlan] | Skipped:
    """(rank, candidate), a lower rank expected to be faster; or why not."""
    what = f"{runtime} {recipe.name}"
    if runtime not in recipe.runtimes:
        return Skipped(what, f"{recipe.name} is not made for {runtime}")
    if recipe.method != "none" and given.recipe not in (None, AUTO, recipe.name):
        return Skipped(what, f"--recipe {given.recipe} was asked for")
    if recipe.method == "trained":
        why_not = given.network.why_not(runtime)
        if why_not:
            return Skipped(f"{what} {given.network.variant}".rstrip(), why_not)
        graph = given.graph(runtime)
        return trained_candidate(
            recipe, runtime, given.network, given.target, given.isa, graph, integer_io=given.integer_io
        )
    if recipe.method == "static":
        return _static(recipe, runtime, given, what)
    if recipe.method == "dynamic":
        return _dynamic(recipe, runtime, given, what)
    if recipe.method == "blockwise":
        return _blockwise(recipe, runtime, given, what)
    if recipe.method == "cast":
        return _half(recipe, runtime, given, what)
    return ranked(recipe, runtime, 8, "baseline: a quantized model must beat this to go live")


def _static(
    recipe: Recipe, runtime: str, given: _PlanInput, what: str
) -> tuple[int, CandidatePlan] | Skipped:
    if not given.graph(runtime).has(STATIC):
        return Skipped(what, "the graph has no Conv, Gemm or MatMul with constant float32 weights")
    if old := given.lacks(runtime, 10, "QuantizeLinear"):
        return Skipped(what, old)
    if not given.has_data:
        return Skipped(what, _NO_DATA)
    if given.recipe is None and recipe.activation_bits == 8 and given.network.replaces_static(runtime):
        return Skipped(what, f"the trained network takes its place (--recipe {recipe.name} builds it)")
    if recipe.activation_bits == 16:
        scheme, why = sixteen_bits()
        rank, candidate = ranked(recipe, runtime, 10, why)
    else:
        scheme, why = scheme_for(runtime, given.target.cpu.arch, given.isa)
        # What it leaves in float, GRUs above all, runs no faster.
        takes_most = given.graph(runtime).macs_share(STATIC) >= _DOMINATES
        if old := given.lacks(runtime, PER_CHANNEL_OPSET, "scales per channel"):
            scheme, why = replace(scheme, per_channel=False), f"{why}; one scale per tensor: {old}"
        if given.weight_bits < 8:
            why += f"; {_few_bits_gain(runtime, given)}"
        slower = why_slower_than_float(runtime, given.target.cpu.arch, given.isa)
        expected = 9 if slower else 2 if takes_most else 6
        rank, candidate = ranked(recipe, runtime, expected, f"{why}; {slower}" if slower else why)
    integer_io = given.integer_io and candidate.format == "tflite"
    return rank, replace(candidate, scheme=replace(scheme, integer_io=integer_io))


def _few_bits_gain(runtime: str, given: _PlanInput) -> str:
    graph = given.graph(runtime)
    dense, rows = graph.weight_share(DENSE), graph.rows(DENSE)
    return few_bits_gain(runtime, given.weight_bits, dense, rows, given.levels, trained=False)


def _dynamic(
    recipe: Recipe, runtime: str, given: _PlanInput, what: str
) -> tuple[int, CandidatePlan] | Skipped:
    graph, all_of_it = given.graph(runtime), _takes_convolutions(runtime)
    taken = (*DYNAMIC, *LOWERED)
    if not graph.has(STATIC if all_of_it else taken):
        operators = "Conv, Gemm or MatMul" if all_of_it else "MatMul, Gemm, LSTM, GRU or RNN"
        return Skipped(what, f"the graph has no {operators} with constant float32 weights")
    if old := given.lacks(runtime, 11, "DynamicQuantizeLinear"):
        return Skipped(what, old)
    share, weights = graph.macs_share(taken), graph.weight_share(taken)
    words = f"{share:.0%} of the work and {weights:.0%} of the weights are those of {_listed(graph, taken)}"
    wanted = given.recipe is not None or (all_of_it and not given.has_data)
    if not wanted and max(share, weights) < _WORTH_TRYING:
        rest = "run faster with static ranges" if all_of_it else "would stay in float"
        return Skipped(what, f"{words}: convolutions {rest} (--recipe {recipe.name} builds it)")
    rank, candidate = ranked(recipe, runtime, 1 if graph.macs_share(DYNAMIC) >= _DOMINATES else 5, words)
    return rank, replace(candidate, scheme=dynamic_scheme(runtime, given.target.cpu.arch, given.isa))


def _listed(graph: GraphMacs, operators: tuple[str, ...]) -> str:
    """Those that the graph has."""
    *first, last = [o for o in operators if graph.has((o,))] or DYNAMIC
    return f"{', '.join(first)} and {last}" if first else last


def _takes_convolutions(runtime: str) -> bool:
    """LiteRT has fast dynamic int8 convolutions; onnxruntime's are several times slower than in float."""
    return FORMATS[runtime] == "tflite"


def _blockwise(
    recipe: Recipe, runtime: str, given: _PlanInput, what: str
) -> tuple[int, CandidatePlan] | Skipped:
    graph, why_not = given.graph(runtime), why_no_blocks(given.target.cpu.arch, given.isa)
    if why_not:
        return Skipped(what, why_not)
    if not graph.has(BLOCKWISE):
        return Skipped(what, "the graph has no MatMul or Gemm with constant float32 weights")
    share, weights, rows = (of(BLOCKWISE) for of in (graph.macs_share, graph.weight_share, graph.rows))
    words = (
        f"{share:.0%} of the work and {weights:.0%} of the weights are those of {_listed(graph, BLOCKWISE)}"
    )
    words += f", {rows:.0f} rows at a time" if rows > 1 else ", one row at a time"
    if given.recipe is None and min(share, weights) < _DOMINATES:
        return Skipped(what, f"{words}: the rest would stay in float (--recipe {recipe.name} builds it)")
    if given.recipe is None and rows >= _MANY_ROWS:
        return Skipped(what, f"{words}: int8_dynamic is faster (--recipe {recipe.name} builds it)")
    gain = blocks_gain(recipe.weight_bits, rows)
    if given.recipe is None and recipe.weight_bits < _FEWEST_BITS_TRIED:
        return Skipped(what, f"{gain} (--recipe {recipe.name} builds it)")
    return ranked(recipe, runtime, 0 if recipe.weight_bits < 8 else 3, f"{words}; {gain}")


def _half(recipe: Recipe, runtime: str, given: _PlanInput, what: str) -> tuple[int, CandidatePlan] | Skipped:
    if given.target.cpu.arch != "aarch64":
        return Skipped(
            what, f"onnxruntime has no float16 kernels for {given.target.cpu.arch}: it computes in float32"
        )
    if not has_half(given.isa):
        return Skipped(what, "this CPU has no float16 arithmetic (no asimdhp): it would compute in float32")
    return ranked(recipe, runtime, 4, "asimdhp: float16 arithmetic, half the bytes")


def _require_data(
    model: Model,
    target: Target,
    likely: list[tuple[int, CandidatePlan]],
    given: _PlanInput,
    skipped: list[Skipped],
) -> None:
    """Refuses to quantize without samples where what needs none is not expected to be faster than float. Raises DataRefused."""
    made = {candidate.recipe for _, candidate in likely}
    if _has_what_was_asked(made, given) or all(s.reason != _NO_DATA for s in skipped):
        return
    raise DataRefused(
        f"static int8 needs calibration samples, and there are none for {model.name}",
        f"give --data (an .npz, a folder, or file.py:function), or choose {_alternatives(target, given)}",
        details=[f"{s.what}: {s.reason}" for s in skipped],
    )


def _has_what_was_asked(made: set[str], given: _PlanInput) -> bool:
    """By default, int8."""
    return given.recipe in made or (
        one_recipe(given.recipe) is None and any(name.startswith(("int8", "trained")) for name in made)
    )


def _require_quantized(
    model: Model,
    target: Target,
    candidates: tuple[CandidatePlan, ...],
    given: _PlanInput,
    skipped: list[Skipped],
) -> None:
    """Refuses a plan that has nothing of what was asked for."""
    if _has_what_was_asked({c.recipe for c in candidates}, given) or one_recipe(given.recipe) is None:
        return
    raise TargetRefused(
        f"--recipe {given.recipe} cannot be built from {model.name} for {target.name}",
        f"choose {_alternatives(target, given)}, or leave out --recipe",
        details=[f"{s.what}: {s.reason}" for s in skipped],
    )


def _no_integer_io(target: Target, skipped: list[Skipped]) -> None:
    raise TargetRefused(
        f"--integer-io needs a static int8 candidate for LiteRT, and none is built for {target.name}",
        "leave it out, or allow such a candidate: --data, --runtime litert, no other --recipe",
        details=[f"{s.what}: {s.reason}" for s in skipped],
    )


def _alternatives(target: Target, given: _PlanInput) -> str:
    found = []
    if (
        given.recipe != "int8_dynamic"
        and "onnx" in given.graphs
        and given.graphs["onnx"].has((*DYNAMIC, *LOWERED))
    ):
        found.append("--recipe int8_dynamic (MatMul, Gemm, LSTM and GRU in int8)")
    if given.recipe != "fp16" and target.cpu.arch == "aarch64" and has_half(given.isa):
        found.append("--recipe fp16")
    return " or ".join([*found, "--recipe float"])
