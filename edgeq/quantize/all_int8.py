"""A second candidate with the small convolutions in int8 too, where what is faster depends on the device.

With one thread the rule of passes/small_convs.py holds on all networks that were measured but ResNet-56 (docs/measured.md), with VNNI and
with the kernels for AVX2. With two, on one machine with VNNI, its files took 0.85 (MNIST) to 1.08 times (keyword spotting) as long as
those wholly in int8. So the race decides there, and without VNNI, with the threads that the model will have. The file is the first
one's state with fewer layers in float: nothing is calibrated or fitted again. A head stays in float: what it gains (ResNet-8: 5 dB) is
worth more than it costs (passes/head.py).
"""

from dataclasses import replace

from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.passes import small_convs
from edgeq.quantize.quantization import Context, Quantization


def may_be_faster(q: Quantization, context: Context) -> bool:
    """Whether small convolutions are in float, and threads or CPU are others than those that their rule was measured with."""
    if q.scheme is None or not (context.options.threads > 1 or q.scheme.pairs_fit):
        return False
    return bool(_small(q, context))


def run(q: Quantization, context: Context) -> Quantization:
    """The candidate, with an id of its own; `q` itself where it is not close enough to float. Its file is at `context.path`."""
    back = _small(q, context)
    quantized = replace(q, in_float={name: why for name, why in q.in_float.items() if name not in back})
    written = context.write(quantized, frozenset(q.mixed_precision_layers))
    fidelity = context.judge(context.progress)
    if not fidelity.passed:
        return q
    why = f"{q.candidate.recipe} with {counted(len(back), 'more operator')} in int8: which is faster depends on the device"
    return replace(
        quantized,
        candidate=replace(q.candidate, id=f"{q.candidate.id}-all-int8", reason=why),
        fidelity=fidelity,
        written=written,
        results=tuple(
            PassResult(r.repair, False, "the other candidate has it") if r.repair == small_convs.NAME else r
            for r in q.results
        ),
    )


def _small(q: Quantization, context: Context) -> frozenset[str]:
    """The convolutions that are in float for being small, and for nothing else."""
    found = small_convs.convolutions(q, context)
    return frozenset(name for name, why in found.items() if q.in_float.get(name) == why)
