"""The candidate of a network that was trained in its integers: which runtimes have one, and what it takes the place of."""

from dataclasses import dataclass, replace

from edgeq.graphs.macs import GraphMacs
from edgeq.nouns.model import Model
from edgeq.nouns.plan import CandidatePlan
from edgeq.nouns.recipe import Recipe
from edgeq.nouns.target import FORMATS, Target
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.quantize.ranked import ranked
from edgeq.quantize.scheme import few_bits_gain, scheme_for, why_slower_than_float

DENSE = ("Gemm",)  # what graphs/macs.py calls FULLY_CONNECTED


@dataclass(frozen=True)
class TrainedNetwork:
    """What a plan knows of it. `is_there`: there is one, as an ONNX graph, or will be after a training of `epochs`. `why_none`: why there
    is none where one was asked for. `why_no_tflite`: why it has no TFLite graph. `bits`: of the weights of
    its layers of few bits, on `levels` of a kind of edgeq/nouns/weight_levels.py. `variant`: which of several it is, and `why_variant` it is another one.
    """

    is_there: bool = False
    why_no_tflite: str = ""
    epochs: float = 0.0
    why_none: str = ""
    bits: float = 8
    variant: str = ""
    why_variant: str = ""
    levels: str = UNIFORM

    @property
    def is_asked_for(self) -> bool:
        return self.is_there or bool(self.why_none)

    def why_not(self, runtime: str) -> str:
        """Why `runtime` cannot have it; empty where it can."""
        if not self.is_there:
            return self.why_none or (
                "no network was trained: --finetune trains one, and edgeq finetune writes --weights that hold one"
            )
        return self.why_no_tflite if FORMATS[runtime] == "tflite" else ""

    def replaces_static(self, runtime: str) -> bool:
        """In place of static int8, which it began as. LiteRT's file is converted anew, which may fail; onnxruntime's is the one that
        was trained.
        """
        return FORMATS[runtime] == "onnx" and not self.why_not(runtime)

    def gain(self, runtime: str, graph: GraphMacs) -> str:
        """Of layers of few bits, over int8; empty where it has none."""
        if self.bits == 8:
            return ""
        dense, rows = graph.weight_share(DENSE), graph.rows(DENSE)
        return few_bits_gain(runtime, self.bits, dense, rows, self.levels)


NOTHING_TRAINED = TrainedNetwork()


def trained_networks(model: Model) -> tuple[TrainedNetwork, ...]:
    """Those that the model has."""
    return tuple(
        TrainedNetwork(
            True,
            each.why_no_tflite,
            bits=each.training.weight_bits,
            variant=each.variant,
            levels=each.training.levels,
        )
        for each in model.networks
    )


def trained_candidate(
    recipe: Recipe,
    runtime: str,
    network: TrainedNetwork,
    target: Target,
    isa: tuple[str, ...],
    graph: GraphMacs,
    *,
    integer_io: bool,
) -> tuple[int, CandidatePlan]:
    """With its rank, in front of static int8 on the same runtime. `integer_io` is for LiteRT's alone."""
    scheme, why = scheme_for(runtime, target.cpu.arch, isa)
    slower = why_slower_than_float(runtime, target.cpu.arch, isa)
    few = network.gain(runtime, graph)
    about = ("trained in the integers of the device", network.why_variant, why, few, slower)
    why = "; ".join(words for words in about if words)
    if network.epochs:
        why = f"{_of_epochs(network.epochs)} of training follow; {why}"
    rank, candidate = ranked(recipe, runtime, 9 if slower else 2, why)
    scheme = replace(scheme, integer_io=integer_io and candidate.format == "tflite")
    id = f"{candidate.id}-{network.variant}" if network.variant else candidate.id
    return rank - 1, replace(candidate, id=id, scheme=scheme, network=network.variant)


def _of_epochs(epochs: float) -> str:
    return f"{epochs:g} epoch" if epochs == 1 else f"{epochs:g} epochs"
