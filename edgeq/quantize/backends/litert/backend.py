"""int8 for LiteRT as backends: static, or dynamic."""

from collections.abc import Collection
from pathlib import Path

from edgeq.quantize.backends.litert import emit
from edgeq.quantize.backends.litert.kernels import without_kernel
from edgeq.quantize.backends.refused_layers import refused_in_tflite
from edgeq.quantize.passes.fit import fit_tflite
from edgeq.quantize.quantization import Context, Quantization, Written


class LitertStatic:
    """Static int8, or int8 weights on int16 activations."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return without_kernel(q.source, q.candidate.runtime, q.activation_bits)

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        return refused_in_tflite(q.source, form_of(q), q.candidate.runtime, context.path.parent)

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        emit.emit(q.source, path, q.ranges, frozenset(leave).union(q.in_float), form_of(q))
        if fitted:
            fit_tflite.replay(q.source, path, q.weights)
        return Written(path)


class LitertDynamic:
    """Weights int8, activations dynamically quantized."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return without_kernel(q.source, q.candidate.runtime, None)

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        return refused_in_tflite(q.source, None, q.candidate.runtime, context.path.parent)

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        emit.emit_dynamic(q.source, path, q.candidate.runtime, frozenset(leave).union(q.in_float))
        return Written(path)


def form_of(q: Quantization) -> emit.Form:
    return emit.Form(q.activation_bits, q.integer_io, q.candidate.runtime)
